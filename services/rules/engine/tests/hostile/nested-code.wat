;; Code inside a nested component: some versions of the compiler panic over that.
(component
  (component
    (component)
    (core module (func))
  )
)
