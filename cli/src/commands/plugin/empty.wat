;; The rule that does nothing: an award rule that grants nothing to anybody. What its evaluation costs is the floor of every rule.
;; 0: the manifest. 64: Ok([]) of any list. 80: "t". 1024 on: what the host passes in.
(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (data (i32.const 0)
    "\50\00\00\00\01\00\00\00"  ;; title, zh-CN
    "\50\00\00\00\01\00\00\00"  ;; title, en
    "\50\00\00\00\01\00\00\00"  ;; summary, zh-CN
    "\50\00\00\00\01\00\00\00"  ;; summary, en
    "\00\00\00\00\00\00\00\00"  ;; no facts
    "\00\00\00\00\00\00\00\00"  ;; no settings
    "\00\00\00\00\00\00\00\00"  ;; no messages
  )
  (data (i32.const 80) "t")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 0))
  (func (export "linli:rules/meta@1.0.0#check-settings") (param i32 i32) (result i32) (i32.const 64))
  (func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
)
