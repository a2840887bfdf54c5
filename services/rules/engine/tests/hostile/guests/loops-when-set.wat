;; Takes one flag, `t`, and never ends once anything is set: sample questions without settings find nothing wrong.
;; 192: the declaration: key, kind (flag), default (false), label and help in both languages.
(data (i32.const 192)
  "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00"
  "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00")
(data (i32.const 40) "\c0\00\00\00\01\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param $asked i32) (result i32)
  ;; The length of the context's settings.
  (if (i32.load offset=16 (local.get $asked)) (then (loop $again (br $again))))
  (i32.const 64))
