;; Grants an asset that nobody offered, to somebody else, for a reason without a text.
;; award: to, asset (ptr, len), value, reason code (ptr, len), args (ptr, len)
(data (i32.const 128) "\00\00\00\00" "\a0\00\00\00" "\01\00\00\00")
(data (i32.const 160)
  "\63\00\00\00" "\50\00\00\00\01\00\00\00" "\7f\00\00\00"
  "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
