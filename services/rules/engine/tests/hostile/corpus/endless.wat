;;; branches for ever | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (loop $x (br $x)) (unreachable))
;;; branches for ever on a condition | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (loop $x (br_if $x (i32.const 1))) (i32.const 64))
;;; branches for ever by a table | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (loop $x (br_table $x $x (i32.const 7))) (unreachable))
;;; loops in a loop | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (local $n i32)
  (loop $outer
    (local.set $n (i32.const 1000))
    (loop $inner (br_if $inner (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (br $outer))
  (unreachable))
;;; loops without an instruction of its own | award-rule | out-of-fuel
(func $f)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (loop $x (call $f) (br $x)) (unreachable))
;;; loops through a table | award-rule | out-of-fuel
(type $v (func))
(table 1 funcref)
(elem (i32.const 0) $f)
(func $f)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (call_indirect (type $v) (i32.const 0)) (br $x)) (unreachable))
;;; divides for ever | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (drop (i64.rem_u (i64.const -1) (i64.const 3))) (drop (f64.sqrt (f64.const 2))) (br $x)) (unreachable))
;;; fills memory for ever | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (memory.fill (i32.const 2048) (i32.const 0) (i32.const 63000)) (br $x)) (unreachable))
;;; copies memory for ever | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (memory.copy (i32.const 2048) (i32.const 4096) (i32.const 60000)) (br $x)) (unreachable))
;;; copies data for ever | award-rule | out-of-fuel
(data $d "0123456789abcdef")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (memory.init $d (i32.const 2048) (i32.const 0) (i32.const 16)) (br $x)) (unreachable))
;;; fills a table for ever | award-rule | out-of-fuel
(table $t 1000 1000 funcref)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (table.fill $t (i32.const 0) (ref.null func) (i32.const 1000)) (br $x)) (unreachable))
;;; asks to grow by nothing for ever | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (drop (memory.grow (i32.const 0))) (br $x)) (unreachable))
;;; loops where the host allocates | award-rule | check-settings: out-of-fuel
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (loop $x (br $x)) (unreachable))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; loops after it has answered | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
(func (export "cabi_post_linli:rules/points-award@1.0.0#grant") (param i32) (loop $x (br $x)))
;;; loops while it describes itself | award-rule | describe: out-of-fuel
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (loop $x (br $x)) (unreachable))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; loops while it checks settings | award-rule | check-settings: out-of-fuel
(func (export "linli:rules/meta@1.0.0#check-settings") (param i32 i32) (result i32) (loop $x (br $x)) (unreachable))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; loops at the start | award-rule | unacceptable
(func $s (loop $x (br $x)))
(start $s)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; traps at the start | award-rule | unacceptable
(func $s (unreachable))
(start $s)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; calls itself | award-rule | trap
(func $f (param i64 i64) (result i64) (i64.add (local.get 0) (call $f (local.get 1) (local.get 0))))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.wrap_i64 (call $f (i64.const 1) (i64.const 2))))
;;; two call each other | award-rule | trap
(func $f (param i64 i64) (result i64) (i64.add (local.get 0) (call $g (local.get 1) (local.get 0))))
(func $g (param i64 i64) (result i64) (i64.sub (local.get 0) (call $f (local.get 1) (local.get 0))))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.wrap_i64 (call $f (i64.const 1) (i64.const 2))))
;;; calls itself through a table | award-rule | trap
(type $t (func (param i64 i64) (result i64)))
(table 1 funcref)
(elem (i32.const 0) $f)
(func $f (type $t) (i64.add (local.get 0) (call_indirect (type $t) (local.get 1) (local.get 0) (i32.const 0))))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.wrap_i64 (call $f (i64.const 1) (i64.const 2))))
