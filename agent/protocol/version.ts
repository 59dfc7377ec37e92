/**
 * The one number both sides compare before anything else is said.
 * Invariant: any change to a frame or message adds a dated line here and increments the number.
 * Never derive behaviour from a package version.
 */

/** Protocol spoken by this build. */
export const PROTOCOL_VERSION = 2;

// History
// 1  2026-11-21  first protocol: frames of length, type and body; converge, exec, facts, blobs, credit, journal
// 2  2026-11-21  programs with streams: open, window, shut, supply; exited, supplied; stream frames
