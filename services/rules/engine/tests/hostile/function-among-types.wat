;; Imports the one instance that is allowed, and asks for a function in it.
(component
  (import "linli:rules/types@1.0.0" (instance (export "now" (func (result u64)))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
)
