;; Wants the clock, the random source and a function hidden behind a plain name.
(component
  (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func (result u64)))))
  (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64)))))
  (import "phone-home" (func (param "what" string)))
)
