;;; a component that says nothing | unacceptable
(component)
;;; a core module | unacceptable
(module (memory (export "memory") 1) (func (export "run")))
;;; asks for the clock | unacceptable
(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func (result u64))))))
;;; asks for chance | unacceptable
(component (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64))))))
;;; asks for files | unacceptable
(component (import "wasi:filesystem/preopens@0.2.0" (instance (export "get-directories" (func (result (list string)))))))
;;; asks for the network | unacceptable
(component (import "wasi:sockets/network@0.2.0" (instance)))
;;; asks for a function among the types | unacceptable
(component (import "linli:rules/types@1.0.0" (instance (export "now" (func (result u64))))))
;;; asks for a resource among the types | unacceptable
(component (import "linli:rules/types@1.0.0" (instance (export "now" (type (sub resource))) (export "later" (func)))))
;;; asks for the types as a function | unacceptable
(component (import "linli:rules/types@1.0.0" (func)))
;;; speaks another version | unacceptable
(component
  (instance $nothing)
  (export "linli:rules/meta@9.0.0" (instance $nothing))
  (export "linli:rules/points-award@9.0.0" (instance $nothing)))
;;; exports hooks without functions | compile
(component
  (core module (func))
  (instance $nothing)
  (export "linli:rules/meta@1.0.0" (instance $nothing))
  (export "linli:rules/points-award@1.0.0" (instance $nothing)))
;;; code in a nested component | unacceptable
(component (component (core module (func))))
;;; a component in a component in a component | unacceptable
(component (component (component (component))))
;;; two modules | unacceptable
(component (core module (func)) (core module (func)))
;;; a module that imports itself | unacceptable
(component
  (core module $a (func (export "f")))
  (core module $b (import "a" "f" (func)))
  (core instance $i (instantiate $a))
  (core instance $j (instantiate $b (with "a" (instance $i)))))
;;; makes resources | unacceptable
(component (core module (func)) (type $r (resource (rep i32))) (core func $new (canon resource.new $r)))
;;; starts threads of its own | unacceptable
(component (core module (func)) (core func $cores (canon thread.available_parallelism)))
;;; looks like a script and asks for the clock | unacceptable
(component
  (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func (result u64)))))
  (component $c (core module (func)))
  (instance $i (instantiate $c))
  (export "linli:rules/meta@1.0.0" (instance $i))
  (export "linli:rules/points-award@1.0.0" (instance $i)))
;;; looks like a script and exports nothing of it | compile
(component
  (component $c (core module (func)))
  (instance $i (instantiate $c))
  (export "linli:rules/meta@1.0.0" (instance $i))
  (export "linli:rules/points-award@1.0.0" (instance $i)))
;;; memory of 64 bits | unacceptable
(component (core module (memory i64 1)))
