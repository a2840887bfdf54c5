;; Answers with a list of a thousand awards made of zeros: more than an answer may be.
(data (i32.const 128) "\00\00\00\00" "\00\10\00\00" "\e8\03\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
