//! The names of what a plugin must not have or answer, in Chinese and English. Never: a sentence.

use crate::BadResult;
use crate::inspect::{Cap, Construct, Mistaken};

pub(super) fn mistaken(what: Mistaken) -> (&'static str, &'static str) {
    match what {
        Mistaken::CoreModule => ("是核心模块，请先封装为组件", "a core module; make it a component first"),
        Mistaken::NoWasm => ("内容不是 WebAssembly", "no WebAssembly at all"),
    }
}

pub(super) fn construct(construct: Construct) -> (&'static str, &'static str) {
    match construct {
        Construct::NestedModule => ("嵌套组件中的核心模块", "a core module inside a nested component"),
        Construct::NestedTwice => ("多层嵌套的组件", "a component nested twice"),
        Construct::NestedFunction => ("嵌套组件中的函数", "a function inside a nested component"),
        Construct::Exceptions => ("异常", "exceptions"),
        Construct::OddMemory => ("六十四位、共享或自定页大小的内存", "64-bit, shared or custom-page memory"),
        Construct::Start => ("启动函数", "a start function"),
        Construct::BuiltIn => ("组件模型的内建函数", "a built-in of the component model"),
    }
}

pub(super) fn cap(cap: Cap) -> (&'static str, &'static str) {
    match cap {
        Cap::Bytes => ("文件字节数", "bytes"),
        Cap::Functions => ("函数个数", "functions"),
        Cap::Body => ("单个函数的字节数", "bytes of one function"),
        Cap::Locals => ("单个函数的局部变量数", "locals of one function"),
        Cap::Memory => ("初始内存页数", "memory pages"),
        Cap::Memories => ("内存个数", "memories"),
        Cap::Table => ("初始表项数", "table elements"),
        Cap::Tables => ("表个数", "tables"),
        Cap::DataSegments => ("数据段个数", "data segments"),
        Cap::ElementSegments => ("元素段个数", "element segments"),
        Cap::Globals => ("全局变量个数", "globals"),
        Cap::Types => ("类型个数", "types"),
        Cap::Modules => ("核心模块个数", "core modules"),
        Cap::Nested => ("嵌套组件个数", "nested components"),
    }
}

pub(super) fn bad_result(result: &BadResult) -> String {
    match result {
        BadResult::Malformed(_) => "不是约定的类型，或结果过大".to_owned(),
        BadResult::UnknownReason(_) => "原因代码未在清单中声明".to_owned(),
        BadResult::ReasonTooLong => "原因过多或过长".to_owned(),
        BadResult::WrongLength { wanted, got } => format!("应有 {wanted} 项，实有 {got} 项"),
        BadResult::OutOfRange { value, .. } => format!("数值 {value} 超出范围"),
        BadResult::NotOffered { .. } => "资产、去向或对象不在请求所列之中".to_owned(),
        BadResult::Repeated(_) => "同一资产给了两次".to_owned(),
    }
}
