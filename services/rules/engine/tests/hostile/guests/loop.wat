;; Never ends.
(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (loop $again (br $again)) (unreachable))
