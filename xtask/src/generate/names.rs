//! Chinese full names as they are common, given names by generation. Invented: no name is anybody's.

use super::random::Random;

/// The commonest surnames in groups: how often one of the group occurs, and who is in it. 马 and 纳 as Ningxia has them.
const SURNAMES: &[(u32, &[&str])] = &[
    (265, &["王", "李", "张", "刘"]),
    (150, &["陈", "杨", "赵", "黄", "周", "吴"]),
    (130, &["徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马", "马", "罗", "梁"]),
    (90, &["宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "程", "曹", "袁", "邓"]),
    (60, &["许", "傅", "沈", "曾", "彭", "吕", "苏", "卢", "蒋", "蔡", "贾", "丁"]),
    (45, &["魏", "薛", "叶", "纳", "余", "潘", "杜", "夏", "汪", "田", "任", "姜"]),
    (2, &["欧阳", "司马"]),
];

/// Given names of women and men born up to a year, separated by blanks.
struct Generation {
    born_to: i32,
    women: &'static str,
    men: &'static str,
}

const GENERATIONS: &[Generation] = &[
    Generation {
        born_to: 1949,
        women: "秀英 桂英 玉兰 桂兰 秀珍 凤英 淑珍 素珍 玉珍 兰英 桂芳 淑兰 翠花 玉梅 月英 金凤",
        men: "德福 永福 长生 国栋 德胜 万山 振华 永贵 世昌 文彬 广田 宝山 占元 学文 成林 守义",
    },
    Generation {
        born_to: 1965,
        women: "秀兰 建华 玉华 淑华 桂香 爱华 秀华 丽华 春梅 玉芬 凤霞 秀云 惠芳 淑英 金花 红梅",
        men: "建国 建军 国庆 志强 建民 卫东 援朝 跃进 永军 国强 新民 卫国 保国 志明 和平 学军",
    },
    Generation {
        born_to: 1982,
        women: "丽 敏 静 艳 红 霞 燕 玲 芳 娟 晓红 海燕 丽娟 雪梅 晓燕 立红",
        men: "伟 勇 军 涛 强 斌 刚 波 辉 鹏 海涛 志刚 晓东 建平 立新 学东",
    },
    Generation {
        born_to: 2004,
        women: "婷 雪 倩 颖 婷婷 佳 梦 丹 莹 雨 思雨 佳怡 晓彤 文静 雅婷 欣悦",
        men: "浩 鑫 杰 磊 超 阳 凯 宇 帅 博 文博 俊杰 天宇 志远 子健 嘉豪",
    },
    Generation {
        born_to: i32::MAX,
        women: "子涵 欣怡 梓涵 诗涵 雨桐 一诺 依诺 可馨 语桐 若汐 佳琪 思彤 沐瑶 安琪 芷若 书瑶",
        men: "浩宇 子轩 宇轩 浩然 奕辰 宇航 梓豪 一鸣 沐宸 铭泽 俊熙 皓轩 景行 博文 子墨 思远",
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sex {
    Woman,
    Man,
}

impl Sex {
    pub(super) fn draw(random: &mut Random) -> Self {
        if random.chance(500) { Self::Woman } else { Self::Man }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Woman => Self::Man,
            Self::Man => Self::Woman,
        }
    }
}

pub(super) fn surname(random: &mut Random) -> &'static str {
    let weights: Vec<u32> = SURNAMES.iter().map(|(weight, _)| *weight).collect();
    let group = SURNAMES[random.weighted(&weights)].1;
    random.pick(group)
}

pub(super) fn given(random: &mut Random, sex: Sex, birth_year: i32) -> &'static str {
    let generation = GENERATIONS.iter().find(|g| birth_year <= g.born_to).unwrap_or(&GENERATIONS[0]);
    let names = match sex {
        Sex::Woman => generation.women,
        Sex::Man => generation.men,
    };
    let names: Vec<&str> = names.split(' ').collect();
    random.pick(&names)
}
