;; Behaves at every minute that the sample questions know, and misbehaves at four of 2046: 40000001 loops, 40000002 traps,
;; 40000003 takes memory, 40000004 answers what is no answer. The first field of what is asked is the present minute.
(data (i32.const 128) "\07\00\00\00")
(func (export "linli:rules/points-award@1.0.0#grant") (param $asked i32) (result i32)
  (local $now i32)
  (local.set $now (i32.load (local.get $asked)))
  (if (i32.eq (local.get $now) (i32.const 40000001)) (then (loop $again (br $again))))
  (if (i32.eq (local.get $now) (i32.const 40000002)) (then (unreachable)))
  (if (i32.eq (local.get $now) (i32.const 40000003))
    (then
      (loop $again (br_if $again (i32.ne (memory.grow (i32.const 8)) (i32.const -1))))
      (unreachable)))
  (if (i32.eq (local.get $now) (i32.const 40000004)) (then (return (i32.const 128))))
  (i32.const 64))
