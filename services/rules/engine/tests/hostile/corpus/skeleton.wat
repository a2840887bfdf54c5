;; A well-formed guest in parts; an attack that has a part of its own (the name in its text) replaces it.
;; 0: the manifest, with one reason, "t". 64: Ok([]) of any list. 80: "t". 88: the reason. 128 on: the attack's. 2048 on: the host's.
;;; memory
(memory (export "memory") 1)
;;; data
(data (i32.const 0)
  "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00"
  "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\58\00\00\00\01\00\00\00")
(data (i32.const 80) "t")
(data (i32.const 88) "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00")
;;; cabi_realloc
(global $next (mut i32) (i32.const 2048))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
  (global.set $next (i32.add (local.get $at) (local.get 3)))
  (local.get $at))
;;; describe
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 0))
;;; check-settings
(func (export "linli:rules/meta@1.0.0#check-settings") (param i32 i32) (result i32) (i32.const 64))
