;;; counts its calls in a global | award-rule | answers
(global $calls (mut i32) (i32.const 0))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (if (global.get $calls) (then (unreachable)))
  (global.set $calls (i32.const 1))
  (i32.const 64))
;;; counts its calls in memory | award-rule | answers
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (if (i32.load (i32.const 60000)) (then (unreachable)))
  (i32.store (i32.const 60000) (i32.const 1))
  (i32.const 64))
;;; counts its calls in memory that it took | award-rule | answers
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (local $at i32)
  (local.set $at (i32.shl (memory.grow (i32.const 4)) (i32.const 16)))
  (if (i32.load (local.get $at)) (then (unreachable)))
  (i32.store (local.get $at) (i32.const 1))
  (i32.const 64))
;;; counts its calls in a table | award-rule | answers
(table $t 8 funcref)
(elem declare func $f)
(func $f)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (if (i32.eqz (ref.is_null (table.get $t (i32.const 3)))) (then (unreachable)))
  (table.set $t (i32.const 3) (ref.func $f))
  (i32.const 64))
;;; drops its data for the next | award-rule | answers
(data $d "0123456789abcdef")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (memory.init $d (i32.const 2048) (i32.const 0) (i32.const 16))
  (data.drop $d)
  (i32.const 64))
;;; remembers what it was asked at upload | award-rule | answers
(func (export "linli:rules/meta@1.0.0#check-settings") (param i32 i32) (result i32) (i32.store (i32.const 60000) (i32.const 1)) (i32.const 64))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (if (i32.load (i32.const 60000)) (then (unreachable)))
  (i32.const 64))
;;; decides by what lies in fresh memory | award-rule | answers
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (local $at i32)
  (local.set $at (i32.const 32768))
  (loop $x
    (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
    (br_if $x (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 65528))))
  (i32.const 64))
;;; declines, whoever asks | award-rule | refused
(data (i32.const 128) "\01\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
