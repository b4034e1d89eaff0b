;; The gear hash of `cutter.ts`, four bytes a turn. Assembled into `gear-wasm.ts`:
;; npx vitest run packages/engine/test/gear-wasm.test.ts -u
;;
;; Memory, one page, filled by `wasm-gear.ts`:
;;      0  the gear table, 256 words
;;   1024  the hash, where a scan ended without a cut
;;   2048  the bytes to scan
(module
  (memory (export "memory") 1)

  ;; $length: of the bytes, at most 63,488. $hash: before the first of them.
  ;; Returns how many bytes belong to the chunk, up to the one that ends it; 0: none of them does.
  (func (export "scan") (param $length i32) (param $hash i32) (param $mask i32) (result i32)
    (local $at i32)
    (local $end i32)
    (local $lastTurn i32)
    (local.set $at (i32.const 2048))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (local.set $lastTurn (i32.sub (local.get $end) (i32.const 4)))

    (block $noTurn
      (loop $turn
        (br_if $noTurn (i32.gt_s (local.get $at) (local.get $lastTurn)))
        (local.set $hash (i32.add (i32.shl (local.get $hash) (i32.const 1))
          (i32.load (i32.shl (i32.load8_u (local.get $at)) (i32.const 2)))))
        (if (i32.eqz (i32.and (local.get $hash) (local.get $mask)))
          (then (return (i32.sub (local.get $at) (i32.const 2047)))))
        (local.set $hash (i32.add (i32.shl (local.get $hash) (i32.const 1))
          (i32.load (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 2)))))
        (if (i32.eqz (i32.and (local.get $hash) (local.get $mask)))
          (then (return (i32.sub (local.get $at) (i32.const 2046)))))
        (local.set $hash (i32.add (i32.shl (local.get $hash) (i32.const 1))
          (i32.load (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 2)))))
        (if (i32.eqz (i32.and (local.get $hash) (local.get $mask)))
          (then (return (i32.sub (local.get $at) (i32.const 2045)))))
        (local.set $hash (i32.add (i32.shl (local.get $hash) (i32.const 1))
          (i32.load (i32.shl (i32.load8_u offset=3 (local.get $at)) (i32.const 2)))))
        (if (i32.eqz (i32.and (local.get $hash) (local.get $mask)))
          (then (return (i32.sub (local.get $at) (i32.const 2044)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $turn)))

    ;; At most three bytes are left.
    (block $none
      (loop $byte
        (br_if $none (i32.ge_s (local.get $at) (local.get $end)))
        (local.set $hash (i32.add (i32.shl (local.get $hash) (i32.const 1))
          (i32.load (i32.shl (i32.load8_u (local.get $at)) (i32.const 2)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $byte (i32.and (local.get $hash) (local.get $mask)))
        (return (i32.sub (local.get $at) (i32.const 2048)))))
    (i32.store (i32.const 1024) (local.get $hash))
    (i32.const 0)))
