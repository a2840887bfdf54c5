;; Few instructions, much work: each fills all of memory.
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $again
    (memory.fill (i32.const 2048) (i32.const 0) (i32.const 63000))
    (br $again))
  (unreachable))
