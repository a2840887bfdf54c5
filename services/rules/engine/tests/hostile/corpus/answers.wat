;;; allocates outside its memory | award-rule | check-settings: bad-result
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const -8))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; allocates where nothing may lie | award-rule | check-settings: bad-result
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2049))
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))
;;; points outside its memory | award-rule | bad-result
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const -4))
;;; points where nothing may lie | award-rule | bad-result
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 65))
;;; a list outside its memory | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\00\00\7f" "\10\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a list where nothing may lie | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\83\00\00\00" "\01\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a list of four thousand million | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\ff\ff\ff\ff")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a thousand awards | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\10\00\00" "\e8\03\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; the same long name in every award | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\02\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\00\f0\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 288) "\01\00\00\00" "\00\02\00\00\00\f0\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; neither ok nor error | award-rule | bad-result
(data (i32.const 128) "\07\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a refusal that does not exist | award-rule | bad-result
(data (i32.const 128) "\01\00\00\00" "\09\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a name that is no text | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\04\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "\ff\fe\c0\80")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a name that ends within a letter | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\02\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "\e9\82\bb")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a refusal with a name that is no text | award-rule | bad-result
(data (i32.const 128) "\01\00\00\00" "\01\00\00\00" "\00\02\00\00\04\00\00\00")
(data (i32.const 512) "\ff\fe\c0\80")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; an award to somebody else | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\63\00\00\00" "\00\02\00\00\06\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "hearts")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; an award below zero | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\06\00\00\00" "\ff\ff\ff\ff" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "hearts")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; an award of nothing | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\06\00\00\00" "\00\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "hearts")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; an asset that nobody offered | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; the same asset twice | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\02\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\06\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 288) "\01\00\00\00" "\00\02\00\00\06\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "hearts")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a reason that it did not declare | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\06\00\00\00" "\01\00\00\00" "\00\02\00\00\06\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "hearts")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a reason with nine arguments | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\06\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\03\00\00\09\00\00\00")
(data (i32.const 512) "hearts")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a reason with an argument of 65 letters | award-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(data (i32.const 256) "\01\00\00\00" "\00\02\00\00\06\00\00\00" "\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\03\00\00\01\00\00\00")
(data (i32.const 512) "hearts")
(data (i32.const 768) "\10\03\00\00\41\00\00\00" "\00\00\00\00\00\00\00\00" "01234567890123456789012345678901234567890123456789012345678901234")
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 128))
;;; a score too few | priority-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\01\00\00\00")
(func (export "linli:rules/booking-priority@1.0.0#prioritise") (param i32) (result i32) (i32.const 128))
;;; a score too many | priority-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\03\00\00\00")
(func (export "linli:rules/booking-priority@1.0.0#prioritise") (param i32) (result i32) (i32.const 128))
;;; a score beyond the range | priority-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\01\00\00" "\02\00\00\00")
(data (i32.const 256) "\00\00\00\80")
(func (export "linli:rules/booking-priority@1.0.0#prioritise") (param i32) (result i32) (i32.const 128))
;;; a verdict that does not exist | eligibility-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\04\00\00\00")
(func (export "linli:rules/booking-eligibility@1.0.0#decide") (param i32) (result i32) (i32.const 128))
;;; a denial for a reason that it did not declare | eligibility-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\01\00\00\00" "\00\02\00\00\05\00\00\00" "\00\00\00\00\00\00\00\00")
(data (i32.const 512) "other")
(func (export "linli:rules/booking-eligibility@1.0.0#decide") (param i32) (result i32) (i32.const 128))
;;; a price in another asset | price-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\50\00\00\00\01\00\00\00" "\05\00\00\00" "\00\00\00\00\00\00\00\00")
(func (export "linli:rules/booking-price@1.0.0#quote") (param i32) (result i32) (i32.const 128))
;;; a price for seventeen reasons | price-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\00\02\00\00\06\00\00\00" "\05\00\00\00" "\00\03\00\00\11\00\00\00")
(data (i32.const 512) "hearts")
(func (export "linli:rules/booking-price@1.0.0#quote") (param i32) (result i32) (i32.const 128))
;;; a track that the place does not have | track-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\50\00\00\00\01\00\00\00" "\50\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
(func (export "linli:rules/deliberation-track@1.0.0#choose") (param i32) (result i32) (i32.const 128))
;;; a share over the whole | thresholds-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\01\00\00\00" "\03\00\00\00\02\00\00\00\00\00\00\00")
(func (export "linli:rules/deliberation-thresholds@1.0.0#tighten") (param i32) (result i32) (i32.const 128))
;;; a share of nothing | thresholds-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\01\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00")
(func (export "linli:rules/deliberation-thresholds@1.0.0#tighten") (param i32) (result i32) (i32.const 128))
;;; a whole that must be exceeded | thresholds-rule | bad-result
(data (i32.const 128) "\00\00\00\00" "\01\00\00\00" "\02\00\00\00\02\00\00\00\01\00\00\00")
(func (export "linli:rules/deliberation-thresholds@1.0.0#tighten") (param i32) (result i32) (i32.const 128))
;;; a ballot that is open for ever | thresholds-rule | bad-result
(data (i32.const 164) "\ff\ff\ff\ff")
(func (export "linli:rules/deliberation-thresholds@1.0.0#tighten") (param i32) (result i32) (i32.const 128))
