//! What can speak against a plugin, told to its author in Chinese and English.
//! Never: the plugin's own words beyond a shortened name.

use serde::{Deserialize, Serialize};

use crate::engine::inspect::Cap;
use crate::engine::manifest::ManifestProblem;
use crate::engine::types::Refusal;
use crate::engine::{Fault, Finding, Hook, LoadError};

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
        Self::new(ProblemCode::Crashed, format!("校验异常终止（{status}）"), en).at(stage)
    }

    pub(super) fn nondeterministic(hook: Hook, case: usize) -> Self {
        Self::new(
            ProblemCode::Nondeterministic,
            "同样的输入得到两种结果或两种用量",
            "the same input gave two answers, or took two amounts of fuel",
        )
        .at(format!("{} #{case}", hook.code()))
    }

    pub(super) fn misfit(key: &str) -> Self {
        let en = "the setting is not declared, given twice, of another kind or out of bounds";
        Self::new(ProblemCode::BadSettings, "设置未声明、重复、类型不对或越界", en).at(key)
    }

    /// What a load error means, every finding as a problem of its own.
    pub(super) fn of_load(error: &LoadError) -> Vec<Self> {
        match error {
            LoadError::Unacceptable(findings) => findings.iter().map(Self::of_finding).collect(),
            LoadError::Manifest(problems) => problems.iter().map(Self::of_manifest).collect(),
            LoadError::Describe(fault) => {
                let problem = Self::of_fault(fault, "describe").unwrap_or_else(|| {
                    Self::new(ProblemCode::BadManifest, "describe 没有返回清单", "describe gave no manifest")
                });
                vec![problem.at("describe")]
            }
            LoadError::Compile(detail) => {
                let detail: String = detail.chars().take(400).collect();
                let zh = format!("无法编译，或函数类型与约定不符：{detail}");
                let en = format!("does not compile, or differs from the contract: {detail}");
                vec![Self::new(ProblemCode::DoesNotCompile, zh, en)]
            }
        }
    }

    pub(super) fn of_finding(finding: &Finding) -> Self {
        match finding {
            Finding::NotAComponent(what) => Self::new(
                ProblemCode::NotAComponent,
                format!("不是 WebAssembly 组件（{what}）"),
                format!("not a WebAssembly component ({what})"),
            ),
            Finding::Malformed(detail) => Self::new(
                ProblemCode::Malformed,
                format!("WebAssembly 已损坏：{detail}"),
                format!("broken WebAssembly: {detail}"),
            ),
            Finding::ForbiddenImport(name) => Self::new(
                ProblemCode::ForbiddenImport,
                "插件只能导入类型，不能使用时钟、随机数、文件或网络",
                "a plugin imports types only: no clock, no random numbers, no files, no network",
            )
            .at(name),
            Finding::UnknownExport(name) => {
                Self::new(ProblemCode::UnknownExport, "约定中没有这个导出", "the contract has no such export").at(name)
            }
            Finding::NoMeta => Self::new(ProblemCode::NoMeta, "没有导出清单接口 meta", "does not export meta"),
            Finding::NoHook => Self::new(ProblemCode::NoHook, "没有导出任何规则接口", "exports no hook"),
            Finding::Forbidden(what) => Self::new(
                ProblemCode::ForbiddenFeature,
                format!("不允许使用：{what}"),
                format!("may not be used: {what}"),
            ),
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
            | Cap::TypeShims => ProblemCode::TooManyParts,
        };
        let place = if matches!(cap, Cap::Body | Cap::Locals) { format!("function {index}") } else { String::new() };
        let (zh, en) = (format!("{cap}：{got}，上限 {max}"), format!("{cap}: {got}, at most {max} are allowed"));
        Self::new(code, zh, en).at(place)
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
            Fault::Trap(trap) => Self::new(ProblemCode::Traps, format!("运行出错：{trap}"), format!("traps: {trap}")),
            Fault::BadResult(detail) => Self::new(
                ProblemCode::BadResult,
                format!("结果不符合约定：{detail}"),
                format!("the answer is not allowed: {detail}"),
            ),
            Fault::Refused(Refusal::BadSettings(key)) => {
                let en = format!("declines because of the setting {key}");
                Self::new(ProblemCode::BadSettings, format!("因设置 {key} 拒绝"), en)
            }
            Fault::NoHook(hook) => Self::new(ProblemCode::NoHook, format!("没有 {hook}"), format!("has no {hook}")),
            // A corpus of chance may lack a fact that real requests have.
            Fault::Refused(Refusal::MissingFact(_) | Refusal::Unsupported(_)) | Fault::Busy => return None,
        };
        Some(problem.at(place))
    }
}
