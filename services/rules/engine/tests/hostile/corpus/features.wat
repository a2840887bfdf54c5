;;; calls in the tail | award-rule | compile
(func $f (result i32) (i32.const 64))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (return_call $f))
;;; vectors without a fixed meaning | award-rule | compile
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))) (i32.const 64))
;;; shared memory | award-rule | unacceptable
(memory (export "memory") 1 1 shared)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; waits for another thread | award-rule | compile
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))) (i32.const 64))
;;; collected memory | award-rule | compile
(type $s (struct (field i32)))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (drop (struct.new $s (i32.const 1))) (i32.const 64))
;;; exceptions | award-rule | unacceptable
(tag $e)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (throw $e))
;;; arithmetic of 128 bits | award-rule | unacceptable
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (i64.mul_wide_u (i64.const 1) (i64.const 2)) (drop) (drop) (i32.const 64))
