;; Never ends.
(func (export "linli:rules/points-award@0.1.0#grant") (param i32) (result i32) (loop $again (br $again)) (unreachable))
