import { setFlagsFromString } from 'node:v8'

/**
 * Bytes of bytecode that a function runs before V8 compiles it with its optimising compiler, 15 times the
 * default. A sync is a burst of many functions that are warm for a second or two: by default a quarter of
 * the processor time of 10,000 small files went into compiling them, on helper threads (measured).
 */
setFlagsFromString('--interrupt-budget=1000000')
