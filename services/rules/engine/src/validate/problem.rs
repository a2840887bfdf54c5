//! What can speak against a plugin, told to its author in Chinese and English.
//! Never: the plugin's own words beyond a shortened name. What has no translation, such as a trap, is told as the place.

mod words;

use serde::{Deserialize, Serialize};

use crate::inspect::Cap;
use crate::manifest::{ManifestProblem, Misfit, WrongSetting, kind_text};
use crate::question::{Outcome, Vector};
use crate::table::TableProblem;
use crate::types::Refusal;
use crate::{Evaluated, Fault, Finding, Hook, LoadError};

/// The kind of a problem; stable, for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProblemCode {
    /// No WebAssembly, or a core module.
    NotAComponent,
    /// Broken WebAssembly.
    Malformed,
    /// Imports something other than the types.
    ForbiddenImport,
    /// Exports something that the contract does not know.
    UnknownExport,
    /// Uses a construct that no plugin needs.
    ForbiddenFeature,
    /// The file is too large.
    TooLarge,
    /// Too many functions.
    TooManyFunctions,
    /// One function is too large, or has too many locals.
    FunctionTooLarge,
    /// Too many modules, tables, segments, globals or types.
    TooManyParts,
    /// Wants more memory than a guest may have.
    TooMuchMemory,
    /// Does not export the manifest.
    NoMeta,
    /// Exports no hook.
    NoHook,
    /// Does not compile, or its functions have other types than the contract.
    DoesNotCompile,
    /// The manifest is missing or not acceptable.
    BadManifest,
    /// The sample settings are not acceptable.
    BadSettings,
    /// A call does not end within its fuel or its time.
    Loops,
    /// A call traps.
    Traps,
    /// A call answers with what the contract does not allow.
    BadResult,
    /// The same call gave two answers, or took two amounts of fuel.
    Nondeterministic,
    /// A table document that could not be asked.
    BadTable,
    /// A case of the author's does not come out as it should.
    VectorFailed,
    /// The validation did not end in time.
    TimedOut,
    /// The validation ended abnormally.
    Crashed,
}

/// One thing that speaks against a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The kind.
    pub code: ProblemCode,
    /// For a Chinese reader.
    pub message_zh: String,
    /// For an English reader.
    pub message_en: String,
    /// Where: a function, an export, a hook, a setting or a stage; may be empty.
    pub where_: String,
}

impl Problem {
    pub(super) fn new(code: ProblemCode, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { code, message_zh: zh.into(), message_en: en.into(), where_: String::new() }
    }

    pub(super) fn at(self, place: impl Into<String>) -> Self {
        Self { where_: place.into(), ..self }
    }

    pub(super) fn too_large(got: usize, max: usize) -> Self {
        Self::new(
            ProblemCode::TooLarge,
            format!("文件 {got} 字节，上限 {max} 字节"),
            format!("the file has {got} bytes, at most {max} are allowed"),
        )
    }

    pub(super) fn timed_out(stage: &str) -> Self {
        let en = "the validation did not end in time: a function may be too complex to compile";
        Self::new(ProblemCode::TimedOut, "校验超时：可能有过于复杂、难以编译的函数", en).at(stage)
    }

    pub(super) fn crashed(stage: &str, status: &str) -> Self {
        let en = format!("the validation ended abnormally ({status})");
        Self::new(ProblemCode::Crashed, "校验异常终止", en).at(format!("{stage}: {status}"))
    }

    pub(super) fn nondeterministic(hook: Hook, case: usize) -> Self {
        Self::new(
            ProblemCode::Nondeterministic,
            "同样的输入得到两种结果或两种用量",
            "the same input gave two answers, or took two amounts of fuel",
        )
        .at(format!("{} #{case}", hook.code()))
    }

    /// What came instead of a vector's expectation; JSON has no translation, so that it stands with the place.
    pub(super) fn vector(vector: &Vector, came: &Result<Evaluated<Outcome>, Fault>) -> Self {
        let came = match came {
            Ok(evaluated) => serde_json::to_string(&evaluated.value).unwrap_or_default(),
            Err(fault) => fault.to_string(),
        };
        Self::new(
            ProblemCode::VectorFailed,
            "用例的结果与预期不符",
            "a case of the author's does not come out as it should",
        )
        .at(detailed(&shorten(&vector.name), &came))
    }

    pub(super) fn misfit(misfit: &Misfit<'_>) -> Self {
        let (zh, en) = match misfit.what {
            WrongSetting::Unknown => ("没有声明这个设置", "the setting is not declared".to_owned()),
            WrongSetting::Repeated => ("设置重复", "the setting is given twice".to_owned()),
            WrongSetting::Kind(kind) => ("设置类型不对或越界", format!("the setting must be {}", kind_text(kind))),
        };
        Self::new(ProblemCode::BadSettings, zh, en).at(&misfit.key)
    }

    /// What a load error means, every finding as a problem of its own.
    pub(super) fn of_load(error: &LoadError) -> Vec<Self> {
        match error {
            LoadError::Unacceptable(findings) => findings.iter().map(Self::of_finding).collect(),
            LoadError::Table(problems) => problems.iter().map(Self::of_table).collect(),
            LoadError::Manifest(problems) => problems.iter().map(Self::of_manifest).collect(),
            LoadError::Describe(fault) => {
                let problem = Self::of_fault(fault, "describe").unwrap_or_else(|| {
                    Self::new(ProblemCode::BadManifest, "没有返回清单", "describe gave no manifest")
                });
                vec![problem.at("describe")]
            }
            LoadError::Compile(detail) => {
                let detail: String = detail.chars().take(400).collect();
                let en = format!("does not compile, or differs from the contract: {detail}");
                let zh = "无法编译，或函数类型与约定不符";
                vec![Self::new(ProblemCode::DoesNotCompile, zh, en).at(detail)]
            }
        }
    }

    fn of_table(problem: &TableProblem) -> Self {
        let TableProblem { message_zh, message_en, line, column, where_, .. } = problem;
        let place = format!("{line}:{column} {where_}");
        Self::new(ProblemCode::BadTable, message_zh, message_en).at(place.trim_end())
    }

    pub(super) fn of_finding(finding: &Finding) -> Self {
        match finding {
            Finding::NotAComponent(what) => {
                let (zh, en) = words::mistaken(*what);
                Self::new(
                    ProblemCode::NotAComponent,
                    format!("不是 WebAssembly 组件（{zh}）"),
                    format!("not a WebAssembly component ({en})"),
                )
            }
            Finding::Malformed(detail) => {
                Self::new(ProblemCode::Malformed, "WebAssembly 已损坏", format!("broken WebAssembly: {detail}"))
                    .at(detail)
            }
            Finding::ForbiddenImport(name) => Self::new(
                ProblemCode::ForbiddenImport,
                "插件只能导入类型，不能使用时钟、随机数、文件或网络",
                "a plugin imports types only: no clock, no random numbers, no files, no network",
            )
            .at(name),
            Finding::UnknownExport(name) => {
                Self::new(ProblemCode::UnknownExport, "约定中没有这个导出", "the contract has no such export").at(name)
            }
            Finding::NoMeta => Self::new(ProblemCode::NoMeta, "没有导出清单接口", "does not export meta").at("meta"),
            Finding::NoHook => Self::new(ProblemCode::NoHook, "没有导出任何规则接口", "exports no hook"),
            Finding::Forbidden(construct) => {
                let (zh, en) = words::construct(*construct);
                let (zh, en) = (format!("不允许使用：{zh}"), format!("may not be used: {en}"));
                Self::new(ProblemCode::ForbiddenFeature, zh, en)
            }
            Finding::Exceeds { cap, index, got, max } => Self::exceeds(*cap, *index, *got, *max),
        }
    }

    fn exceeds(cap: Cap, index: u32, got: u64, max: u64) -> Self {
        let code = match cap {
            Cap::Bytes => ProblemCode::TooLarge,
            Cap::Functions => ProblemCode::TooManyFunctions,
            Cap::Body | Cap::Locals => ProblemCode::FunctionTooLarge,
            Cap::Memory => ProblemCode::TooMuchMemory,
            Cap::Memories
            | Cap::Table
            | Cap::Tables
            | Cap::DataSegments
            | Cap::ElementSegments
            | Cap::Globals
            | Cap::Types
            | Cap::Modules
            | Cap::Nested => ProblemCode::TooManyParts,
        };
        let place = if matches!(cap, Cap::Body | Cap::Locals) { format!("function {index}") } else { String::new() };
        let (zh, en) = words::cap(cap);
        Self::new(code, format!("{zh}：{got}，上限 {max}"), format!("{en}: {got}, at most {max} are allowed")).at(place)
    }

    fn of_manifest(problem: &ManifestProblem) -> Self {
        let (zh, en, place) = match problem {
            ManifestProblem::Text(at) => {
                ("缺少中文或英文，或文字过长", "a text is missing in one language, or too long", at.as_str())
            }
            ManifestProblem::Code(code) => ("代码应为小写字母、数字和连字符", "codes are kebab-case", code.as_str()),
            ManifestProblem::Repeated(code) => ("重复声明", "declared twice", code.as_str()),
            ManifestProblem::UnknownFact(code) => ("没有这种事实", "the host knows no such fact", code.as_str()),
            ManifestProblem::Default(key) => ("默认值不在范围内", "the default is out of bounds", key.as_str()),
            ManifestProblem::TooMany(what) => ("声明过多", "too many declarations", *what),
        };
        Self::new(ProblemCode::BadManifest, zh, en).at(place)
    }

    /// What a fault means; none where it is no fault of the plugin.
    pub(super) fn of_fault(fault: &Fault, place: &str) -> Option<Self> {
        let problem = match fault {
            Fault::OutOfFuel { budget } => Self::new(
                ProblemCode::Loops,
                format!("指令预算 {budget} 已用完，可能是死循环"),
                format!("the fuel budget of {budget} is used up: an endless loop?"),
            ),
            Fault::Deadline => Self::new(ProblemCode::Loops, "调用超时", "the call does not end in time"),
            Fault::Memory => {
                Self::new(ProblemCode::TooMuchMemory, "所需内存超过上限", "wants more memory than it may have")
            }
            Fault::Trap(trap) => {
                return Some(
                    Self::new(ProblemCode::Traps, "运行出错", format!("traps: {trap}")).at(detailed(place, trap)),
                );
            }
            Fault::BadResult(detail) => {
                let (zh, en) = (words::bad_result(detail), format!("the answer is not allowed: {detail}"));
                let problem = Self::new(ProblemCode::BadResult, format!("结果不符合约定：{zh}"), en);
                return Some(problem.at(detailed(place, &detail.to_string())));
            }
            Fault::Refused(Refusal::BadSettings(key)) => {
                let en = format!("declines because of the setting {key}");
                return Some(Self::new(ProblemCode::BadSettings, "因这项设置拒绝作出决定", en).at(key));
            }
            Fault::NoHook(hook) => Self::new(ProblemCode::NoHook, "没有这个规则接口", format!("has no {hook}")),
            // A corpus of chance may lack a fact that real requests have.
            Fault::Refused(Refusal::MissingFact(_) | Refusal::Unsupported(_)) | Fault::Busy | Fault::Host => {
                return None;
            }
        };
        Some(problem.at(place))
    }
}

/// At most 64 characters of a name that an author wrote.
fn shorten(name: &str) -> String {
    name.chars().take(64).collect()
}

/// A place with what was said there, which has no translation.
fn detailed(place: &str, detail: &str) -> String {
    format!("{place}: {}", detail.chars().take(200).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BadResult;
    use crate::inspect::{Construct, Mistaken};
    use crate::manifest::SettingKind;

    /// Reads as Chinese: no words of another language but the name of the technology.
    fn is_chinese(text: &str) -> bool {
        let rest = text.replace("WebAssembly", "");
        rest.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) && !rest.chars().any(|c| c.is_ascii_alphabetic())
    }

    fn findings() -> Vec<Problem> {
        let caps = [
            Cap::Bytes,
            Cap::Functions,
            Cap::Body,
            Cap::Locals,
            Cap::Memory,
            Cap::Memories,
            Cap::Table,
            Cap::Tables,
            Cap::DataSegments,
            Cap::ElementSegments,
            Cap::Globals,
            Cap::Types,
            Cap::Modules,
            Cap::Nested,
        ];
        let constructs = [
            Construct::NestedModule,
            Construct::NestedTwice,
            Construct::NestedFunction,
            Construct::Exceptions,
            Construct::OddMemory,
            Construct::Start,
            Construct::BuiltIn,
        ];
        let mut all = vec![
            Finding::NotAComponent(Mistaken::CoreModule),
            Finding::NotAComponent(Mistaken::NoWasm),
            Finding::Malformed("unexpected end".to_owned()),
            Finding::ForbiddenImport("wasi:clocks".to_owned()),
            Finding::UnknownExport("extra".to_owned()),
            Finding::NoMeta,
            Finding::NoHook,
        ];
        all.extend(caps.map(|cap| Finding::Exceeds { cap, index: 3, got: 2, max: 1 }));
        all.extend(constructs.map(Finding::Forbidden));
        all.iter().map(Problem::of_finding).collect()
    }

    fn faults() -> Vec<Problem> {
        let results = [
            BadResult::Malformed("invalid utf-8".to_owned()),
            BadResult::UnknownReason("why".to_owned()),
            BadResult::ReasonTooLong,
            BadResult::WrongLength { wanted: 2, got: 1 },
            BadResult::OutOfRange { what: "score", value: -1 },
            BadResult::NotOffered { what: "asset", value: "gold".to_owned() },
            BadResult::Repeated("hearts".to_owned()),
        ];
        let mut all = vec![
            Fault::OutOfFuel { budget: 5 },
            Fault::Deadline,
            Fault::Memory,
            Fault::Trap("unreachable".to_owned()),
            Fault::Refused(Refusal::BadSettings("age".to_owned())),
            Fault::NoHook("points-award"),
        ];
        all.extend(results.map(Fault::BadResult));
        all.iter().filter_map(|fault| Problem::of_fault(fault, "points-award")).collect()
    }

    fn others() -> Vec<Problem> {
        let manifest = [
            ManifestProblem::Text("title".to_owned()),
            ManifestProblem::Code("A".to_owned()),
            ManifestProblem::Repeated("a".to_owned()),
            ManifestProblem::UnknownFact("name".to_owned()),
            ManifestProblem::Default("age".to_owned()),
            ManifestProblem::TooMany("settings"),
        ];
        let kind = SettingKind::Number((0, 9));
        let misfits = [WrongSetting::Unknown, WrongSetting::Repeated, WrongSetting::Kind(&kind)]
            .map(|what| Problem::misfit(&Misfit { at: 0, key: "age".to_owned(), what }));
        let mut all = vec![
            Problem::too_large(2, 1),
            Problem::timed_out("compile"),
            Problem::crashed("compile", "signal: 6 (SIGABRT)"),
            Problem::nondeterministic(Hook::Price, 3),
        ];
        all.extend(misfits);
        all.extend(Problem::of_load(&LoadError::Manifest(manifest.to_vec())));
        all.extend(Problem::of_load(&LoadError::Compile("function 3: type mismatch".to_owned())));
        all.extend(Problem::of_load(&LoadError::Describe(Fault::Busy)));
        all
    }

    #[test]
    fn every_problem_is_told_in_chinese_to_chinese_readers_and_in_english_to_english_ones() {
        let all: Vec<Problem> = [findings(), faults(), others()].concat();
        assert!(all.len() > 50, "{}", all.len());
        for problem in all {
            assert!(is_chinese(&problem.message_zh), "{problem:?}");
            assert!(problem.message_en.is_ascii() && problem.message_en.len() > 10, "{problem:?}");
        }
    }
}
