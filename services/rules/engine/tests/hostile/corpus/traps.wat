;;; gives up | award-rule | trap
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (unreachable))
;;; divides by zero | award-rule | trap
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
;;; divides beyond the range | award-rule | trap
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.div_s (i32.const 0x80000000) (i32.const -1)))
;;; narrows what is no number | award-rule | trap
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.trunc_f32_s (f32.const nan)))
;;; calls nothing through a table | award-rule | trap
(type $v (func))
(table 1 funcref)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (call_indirect (type $v) (i32.const 0)) (i32.const 64))
;;; calls beyond a table | award-rule | trap
(type $v (func))
(table 1 funcref)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (call_indirect (type $v) (i32.const 99)) (i32.const 64))
;;; calls another type through a table | award-rule | trap
(type $v (func))
(table 1 funcref)
(elem (i32.const 0) $f)
(func $f (param i32))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (call_indirect (type $v) (i32.const 0)) (i32.const 64))
;;; reads beyond its memory | award-rule | trap
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.load (i32.const -4)))
;;; writes beyond its memory | award-rule | trap
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i64.store offset=4294967295 (i32.const -1) (i64.const 1)) (i32.const 64))
;;; traps where the host allocates | award-rule | check-settings: trap
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; traps after it has answered | award-rule | trap
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
(func (export "cabi_post_linli:rules/points-award@1.0.0#grant") (param i32) (unreachable))
;;; traps while it checks settings | award-rule | check-settings: trap
(func (export "linli:rules/meta@1.0.0#check-settings") (param i32 i32) (result i32) (unreachable))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; a data segment beyond its memory | award-rule | describe: trap
(data (i32.const 65530) "0123456789abcdef")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
