//! Micro-benchmarks, one file for each layer, in `benches/`. Each says which question it answers, in which unit, and with
//! what input. There is nothing in the library.
