UPLOAD_HEADER_FIRST = Send one header first, then chunks only.
CHUNK_TOO_LARGE = A chunk has at most { $max } bytes; send more of them.
UPLOAD_TOO_LARGE = A component has at most { $max } bytes; make the plugin smaller.
DIGEST_MISMATCH = What arrived has the digest { $actual }; upload it again.
HOOK_UNKNOWN = There is no such hook. Possible: { $allowed }.
VERSION_NOT_ABOVE = The version must belong to { $area } or an area above it.
VERSION_NOT_VALIDATED = { $version } has not been validated. Call ValidatePluginVersion first.
VERSION_REJECTED = { $version } was rejected; its problems say why.
VERSION_LACKS_HOOK = The version does not answer { $hook }, only: { $answers }.
VERSION_UNUSABLE = The version cannot be loaded ({ $fault }). Upload it again.
SETTING_UNKNOWN = The plugin has no setting { $key }. Possible: { $allowed }.
SETTING_MISMATCH = The setting { $key } must be { $expected }.
SETTING_REFUSED = The plugin does not accept the setting { $key }: { $detail }.
SETTINGS_FAIL = With these settings the plugin does not work ({ $at }): { $detail }. Change them, or ask its author.
BINDINGS_FULL = { $area } has { $max } enabled bindings at { $hook } for one kind already; disable or delete one first.
VERSIONS_FULL = { $area } keeps { $max } plugin versions already; delete some that no binding names.
UNVALIDATED_FULL = { $max } plugin versions of { $area } await validation already; validate or delete them first.
RULE_FAULT = The rule { $rule_binding } gave no answer ({ $fault }). Try again later, or have the rule switched off.
FACT_MISSING = The rule { $rule_binding } needs { $fact ->
    [age] the year of birth
    [joined] the date of joining
    [answers] the answers to the offering's questions
   *[other] what is recorded as "{ $fact }"
}, and it is not on record. Ask the community's office to add it.
APPROVAL_REQUIRED = A second person must agree to what { $rule_binding } is to be. Propose it with CreateRuleChange, or switch the rule off.
CHANGE_OPEN = { $rule_binding } has an open change already ({ $change }); move that on or withdraw it first.
CHANGE_STATE = { $change } is { $state }: this step is not possible now.
SECOND_PERSON_NEEDED = Somebody other than those who asked for { $change } must agree to it.
STAGE_BACKWARDS = A change goes forward only: from shadow to canary to active, or to another share. Withdraw it instead.
TRIAL_FIXED = Below stage ACTIVE this must be what the binding has now.
NOTHING_TO_ROLL_BACK = { $rule_binding } was rolled back already; it goes back one step only. Propose a change instead.
EFFECTIVE_TIME_RANGE = The date must lie ahead, by a year at most.
WINDOW_EMPTY = The end must come after the start.
VALIDATOR_UNAVAILABLE = The validation cannot be started at the moment; it is tried again.
INVARIANT_RULES_ARTIFACTS = The bytes of each version have its digest.
INVARIANT_RULES_BINDINGS = Each enabled binding names a version that is valid.
INVARIANT_RULES_CHANGES = Each binding is what its change in force made it, with at most one open change, and what it was before is there.
ARTEFACTS_UNAVAILABLE = The place where plugins are kept does not answer; try again.
UPLOAD_OFFSET = The server has { $received } bytes of this upload; go on from there.
UPLOAD_NEEDS_DIGEST = An upload that goes on must name the digest that it began with.
DIGEST_INVALID = A digest is 64 hexadecimal digits.
PARTIALS_FULL = { $max } uploads of { $area } have broken off already; finish one, or wait a day.
SIMULATIONS_FULL = { $max } simulations of { $area } have not ended yet; wait for one, or cancel it.
KIND_AND_ANY = Leave it empty where rules of any kind are asked for, or take any_kind out.
ARTEFACTS_FULL = The plugin versions of { $area } may have { $max } bytes together; delete some that no binding names.
PUBLIC_KEY_INVALID = This is no Ed25519 public key: 32 bytes, as `linli plugin keygen` prints them.
SIGNATURE_REQUIRED = The charter of this area asks for a signature: sign the plugin with a key that it trusts.
SIGNATURE_WRONG = The signature is not good for this plugin and these bytes. Sign them anew.
KEY_NOT_TRUSTED = { $key } is not a key that { $area } trusts: it must belong to the area or one above, and be on.
VERSION_QUARANTINED = { $version } is quarantined; have it released, or use another version.
VERSION_NOT_QUARANTINED = { $version } is not quarantined.
VERSION_UNSIGNED = The charter asks for a signature, and { $version } has none by a key that { $area } trusts. Upload it again with one.
NOTICE_QUARANTINED = The version gave too many faults ({ $second }, the last one: { $first }) and is not asked any more. Mend it and upload a new version, or have it released.
NOTICE_RELEASED = The version is asked again: { $first }
