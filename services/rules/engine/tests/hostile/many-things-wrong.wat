;; Six problems at once: two memories, one of them huge, a huge table, a start function, an import, an export.
(component
  (import "env" (func))
  (core module $m
    (memory 1)
    (memory 4096)
    (table 100000 funcref)
    (func $f)
    (start $f)
  )
  (core module $n)
  (component $c)
  (instance $x (instantiate $c))
  (export "extra" (instance $x))
)
