;; A component that says and does nothing.
(component)
