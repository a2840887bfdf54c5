UPLOAD_HEADER_FIRST = 先发送一条 header，随后只发送 chunk。
CHUNK_TOO_LARGE = 每个 chunk 最多 { $max } 字节，请分多条发送。
UPLOAD_TOO_LARGE = 组件最多 { $max } 字节，请精简插件。
DIGEST_MISMATCH = 收到的内容摘要为 { $actual }，与所填不符，请重新上传。
HOOK_UNKNOWN = 没有这个规则接口，可选：{ $allowed }。
VERSION_NOT_ABOVE = 插件版本须属于 { $area } 或其上级。
VERSION_NOT_VALIDATED = { $version } 尚未校验，请先调用 ValidatePluginVersion。
VERSION_REJECTED = { $version } 校验未通过，原因见其 problems。
VERSION_LACKS_HOOK = 该版本不实现 { $hook }，只实现：{ $answers }。
VERSION_UNUSABLE = 该版本目前无法加载（{ $fault }），请重新上传。
SETTING_UNKNOWN = 插件没有设置项 { $key }，可选：{ $allowed }。
SETTING_MISMATCH = 设置项 { $key } 应为 { $expected }。
SETTING_REFUSED = 插件不接受设置项 { $key }：{ $detail }。
SETTINGS_FAIL = 用这些设置时插件无法正常工作（{ $at }）：{ $detail }。请修改设置，或联系插件作者。
BINDINGS_FULL = { $area } 在 { $hook } 上对同一类型已有 { $max } 条启用的绑定，请先停用或删除一条。
VERSIONS_FULL = { $area } 已保存 { $max } 个插件版本，请先删除未被绑定的版本。
UNVALIDATED_FULL = { $area } 已有 { $max } 个插件版本等待校验，请先校验或删除。
RULE_FAULT = 规则 { $rule_binding } 未能给出答复（{ $fault }），请稍后再试，或请管理员停用该规则。
FACT_MISSING = 规则 { $rule_binding } 需要{ $fact ->
    [age] 出生年份
    [joined] 入住时间
    [answers] 预约问题的回答
   *[other] “{ $fact }”信息
}，但尚未登记。请联系居委会补登。
APPROVAL_REQUIRED = { $rule_binding } 的变更须由另一人同意，请用 CreateRuleChange 提出，或先停用该规则。
CHANGE_OPEN = { $rule_binding } 已有未完成的变更（{ $change }），请先推进或撤回。
CHANGE_STATE = { $change } 目前为 { $state }，不能进行此步骤。
SECOND_PERSON_NEEDED = { $change } 须由提出者以外的人同意。
STAGE_BACKWARDS = 变更只能向前推进（影子、灰度、生效）或改变比例；如需停止，请撤回。
TRIAL_FIXED = 在生效之前，此项须与现有绑定一致。
NOTHING_TO_ROLL_BACK = { $rule_binding } 已回退过一次，只能回退一步，请改为提出新的变更。
EFFECTIVE_TIME_RANGE = 生效时间须在将来，且不超过一年。
WINDOW_EMPTY = 结束时间须晚于开始时间。
VALIDATOR_UNAVAILABLE = 目前无法启动校验进程，稍后会自动重试。
INVARIANT_RULES_ARTIFACTS = 每个版本的内容与其摘要一致。
INVARIANT_RULES_BINDINGS = 每条启用的绑定都指向已通过校验的版本。
INVARIANT_RULES_CHANGES = 每条绑定与其生效变更一致，至多一项未完成变更，且可回退的旧版本仍在。
ARTEFACTS_UNAVAILABLE = 插件存放处暂无响应，请重试。
UPLOAD_OFFSET = 服务器已收到 { $received } 字节，请从该处继续。
UPLOAD_NEEDS_DIGEST = 续传须写明开始时的摘要。
DIGEST_INVALID = 摘要须为 64 位十六进制数字。
PARTIALS_FULL = { $area } 已有 { $max } 个中断的上传，请先完成一个，或等一天。
SIMULATIONS_FULL = { $area } 已有 { $max } 个未结束的模拟，请等待其中一个结束或取消它。
KIND_AND_ANY = 查询任何类别的规则时请留空，否则请去掉 any_kind。
ARTEFACTS_FULL = { $area } 的插件版本合计不得超过 { $max } 字节，请删除没有绑定引用的版本。
PUBLIC_KEY_INVALID = 不是有效的 Ed25519 公钥：应为 32 字节，即 `linli plugin keygen` 所输出的内容。
SIGNATURE_REQUIRED = 本区域章程要求签名：请用受信任的密钥为插件签名。
SIGNATURE_WRONG = 签名与该插件及其内容不符，请重新签名。
KEY_NOT_TRUSTED = { $area } 不信任密钥 { $key }：须属于本区域或上级区域，且已启用。
VERSION_QUARANTINED = { $version } 已被隔离，请先解除隔离，或使用其他版本。
VERSION_NOT_QUARANTINED = { $version } 未被隔离。
VERSION_UNSIGNED = 章程要求签名，而 { $version } 没有 { $area } 所信任的签名，请签名后重新上传。
NOTICE_QUARANTINED = 该版本故障过多（{ $second } 次，最近一次：{ $first }），已停止调用。请修正后上传新版本，或申请解除隔离。
NOTICE_RELEASED = 该版本已恢复调用：{ $first }
