;; Answers with a list that lies outside its memory.
(data (i32.const 128) "\00\00\00\00" "\00\00\00\7f" "\10\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
