/**
 * Brings in the programs that tests with real hosts need.
 * Invariant: with nothing missing it is silent and starts no program; what cannot be installed is named with the exact command.
 * Never installs anything but the Debian packages listed here, and only as root.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { packages } from './test-programs.mjs';

const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

function installed(program) {
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function missingPackages() {
  const missing = Object.keys(packages).filter((program) => !installed(program));
  return [...new Set(missing.map((program) => packages[program]))];
}

function run(command, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command, args, { env, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

/** Installs what is missing; one update first, since a fresh machine has no package lists. */
function install(names) {
  process.stdout.write(`Tests need ${names.join(', ')}: installing with apt-get.\n`);
  return (
    run('apt-get', ['-q', 'update']) &&
    run('apt-get', ['-q', 'install', '--yes', '--no-install-recommends', ...names])
  );
}

function main() {
  let missing = missingPackages();
  if (missing.length === 0) return 0;
  const able = process.getuid?.() === 0 && installed('apt-get');
  if (able && install(missing)) missing = missingPackages();
  if (missing.length === 0) return 0;
  process.stderr.write(
    [
      `Missing for the tests with real hosts: ${missing.join(', ')}.`,
      `Install with: sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${missing.join(' ')}`,
      process.env.CI === 'true'
        ? 'In CI this is an error.'
        : 'Going on without; the tests that need them are skipped and say so.',
      '',
    ].join('\n'),
  );
  return process.env.CI === 'true' ? 1 : 0;
}

process.exitCode = main();
