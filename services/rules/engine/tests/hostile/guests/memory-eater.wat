;; Takes memory until it gets no more, then gives up.
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $again
    (br_if $again (i32.ne (memory.grow (i32.const 8)) (i32.const -1))))
  (unreachable))
