;;; a manifest without texts | award-rule | manifest
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 1024))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; a manifest larger than it may be | award-rule | describe: bad-result
(data (i32.const 128) "\00\00\00\00\ff\ff\00\00" "\00\00\00\00\ff\ff\00\00" "\00\00\00\00\ff\ff\00\00" "\00\00\00\00\ff\ff\00\00")
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 128))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; a manifest outside its memory | award-rule | describe: bad-result
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 65532))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; a fact that does not exist | award-rule | manifest
(data (i32.const 128)
  "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00"
  "\00\02\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "\50\00\00\00\01\00\00\00")
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 128))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; the same setting twice | award-rule | manifest
(data (i32.const 128)
  "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00"
  "\00\00\00\00\00\00\00\00" "\00\02\00\00\02\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512)
  "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00"
  "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00")
(data (i32.const 576)
  "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00"
  "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00")
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 128))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; a default of another kind | award-rule | manifest
(data (i32.const 128)
  "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00"
  "\00\00\00\00\00\00\00\00" "\00\02\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512)
  "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00" "\01\00\00\00\00\00\00\00\00\00\00\00"
  "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00")
(func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 128))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; complains about settings for a reason that it did not declare | award-rule | check-settings: bad-result
(data (i32.const 128) "\01\00\00\00" "\00\01\00\00\01\00\00\00")
(data (i32.const 256) "\50\00\00\00\01\00\00\00" "\00\02\00\00\05\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "other")
(func (export "linli:rules/meta@1.0.0#check-settings") (param i32 i32) (result i32) (i32.const 128))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
