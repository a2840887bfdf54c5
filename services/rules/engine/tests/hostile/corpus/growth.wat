;;; takes memory until it gets no more | award-rule | memory
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (br_if $x (i32.ne (memory.grow (i32.const 8)) (i32.const -1)))) (unreachable))
;;; takes all memory at once | award-rule | memory
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (drop (memory.grow (i32.const 64))) (unreachable))
;;; takes memory while it describes itself | award-rule | describe: memory
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (drop (memory.grow (i32.const 64))) (unreachable))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; grows a table until it gets no more | award-rule | memory
(table $t 1 funcref)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
  (loop $x (br_if $x (i32.ne (table.grow $t (ref.null func) (i32.const 512)) (i32.const -1)))) (unreachable))
;;; wants a large memory from the beginning | award-rule | unacceptable
(memory (export "memory") 4096)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; wants a large table from the beginning | award-rule | unacceptable
(table 100000 funcref)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; wants a second memory | award-rule | unacceptable
(memory $second 1)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; wants a second table | award-rule | unacceptable
(table 1 funcref)
(table 1 funcref)
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; pays for more memory than there is | award-rule | out-of-fuel
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (drop (memory.grow (i32.const 60000))) (unreachable))
