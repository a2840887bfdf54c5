//! Languages that residents read, and texts that exist in all of them.

use std::fmt;

/// A language that linli answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// Simplified Chinese (`zh-CN`), the default: most callers are residents and their workers.
    #[default]
    ZhCn,
    /// English (`en`).
    En,
}

impl Lang {
    /// Picks the first supported language of an `accept-language` value; unknown or empty means zh-CN.
    ///
    /// Quality weights are honoured only through their order, which is how browsers send them.
    pub fn negotiate(accept_language: &str) -> Self {
        for part in accept_language.split(',') {
            let tag = part.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
            if tag == "en" || tag.starts_with("en-") {
                return Self::En;
            }
            if tag == "zh" || tag.starts_with("zh-") {
                return Self::ZhCn;
            }
        }
        Self::ZhCn
    }

    /// The BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// One text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Text {
    /// Simplified Chinese.
    pub zh_cn: String,
    /// English.
    pub en: String,
}

impl Text {
    /// Builds a text from both languages.
    pub fn new(zh_cn: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh_cn: zh_cn.into(), en: en.into() }
    }

    /// The text in `lang`, falling back to the other language when that one is empty.
    pub fn get(&self, lang: Lang) -> &str {
        let (first, second) = match lang {
            Lang::ZhCn => (&self.zh_cn, &self.en),
            Lang::En => (&self.en, &self.zh_cn),
        };
        if first.is_empty() { second } else { first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_supported_language_wins_and_chinese_is_the_default() {
        assert_eq!(Lang::negotiate("fr, en-GB;q=0.8, zh;q=0.5"), Lang::En);
        assert_eq!(Lang::negotiate("zh-Hans-CN,en"), Lang::ZhCn);
        assert_eq!(Lang::negotiate(""), Lang::ZhCn);
    }

    #[test]
    fn a_missing_translation_falls_back_to_the_other_language() {
        assert_eq!(Text::new("理发", "").get(Lang::En), "理发");
    }
}
