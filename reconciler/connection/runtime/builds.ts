/**
 * Finds a build of Node for a platform: the package beside Towline, the Node this runs on, or the npm registry, once.
 * Invariant: what comes over the network is used only when its SHA-512 is the one that the lock file names.
 * Never changes the package or the Node it found.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { failure, type Result, success } from '../../../agent/protocol/problem.ts';
import { connectionProblem } from '../../base/problem-codes/connection.ts';
import { needs } from './choose.ts';
import { type Platform, pinnedBuilds, pinnedVersion } from './pinned-builds.ts';

/** A Node on this machine that can be sent to hosts. */
export interface RuntimeBuild {
  readonly platform: Platform;
  readonly version: string;
  readonly file: string;
}

export interface BuildPlaces {
  /** A folder of ours to keep what was fetched. */
  readonly folder: string;
  /** Where to look for the installed packages, as Node resolves them; beside Towline unless given. */
  readonly from?: string | undefined;
  /** Whether the Node that this runs on may be sent; true unless given. */
  readonly own?: boolean | undefined;
  /** SHA-512 of the packages, as a lock file writes them. */
  readonly integrity?: Readonly<Record<Platform, string>> | undefined;
}

const exec = promisify(execFile);
/** Milliseconds. */
const fetchDeadline = 600_000;

/** The build for a platform, fetched when it is not here. */
export async function findBuild(platform: Platform, places: BuildPlaces): Promise<Result<RuntimeBuild>> {
  const build = (file: string): Result<RuntimeBuild> => success({ platform, version: pinnedVersion, file });
  const installed = installedBuild(platform, places.from ?? import.meta.url);
  if (installed !== undefined) return build(installed);
  const kept = join(places.folder, `node-${pinnedVersion}-${platform}`);
  if (existsSync(kept)) return build(kept);
  if (places.own !== false && runsEverywhere(platform))
    return success({ platform, version: process.versions.node, file: process.execPath });
  const problem = await fetchBuild(platform, places, kept);
  return problem === undefined ? build(kept) : failure(problem);
}

function installedBuild(platform: Platform, from: string): string | undefined {
  const { packageName } = pinnedBuilds[platform];
  try {
    const manifest = createRequire(from).resolve(`${packageName}/package.json`);
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    const file = join(dirname(manifest), 'bin', 'node');
    return version === pinnedVersion && existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the Node this runs on stands alone as Node’s own builds do: linked with nothing of this machine, and with as old a glibc. */
function runsEverywhere(platform: Platform): boolean {
  if (`${process.platform}-${process.arch}` !== platform) return false;
  const shared = Object.entries(process.config.variables).some(
    ([name, value]) => name.startsWith('node_shared') && value !== false && value !== 'false',
  );
  // Without this the report looks up names for every address of the machine; the types do not know it yet.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { header?: { glibcVersionCompiler?: string } };
  return !shared && header?.glibcVersionCompiler === needs.glibc;
}

async function fetchBuild(
  platform: Platform,
  { folder, integrity }: BuildPlaces,
  kept: string,
): Promise<ReturnType<typeof connectionProblem> | undefined> {
  const { packageName, integrity: pinned } = pinnedBuilds[platform];
  const name = `${packageName}@${pinnedVersion}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(folder, '.fetch-'));
  try {
    // In a folder of ours: a policy repository's .npmrc must not say where packages come from.
    const packing = ['pack', name, '--pack-destination', work, '--ignore-scripts', '--silent'];
    await exec('npm', packing, { cwd: work, timeout: fetchDeadline });
    const archive = join(work, `${packageName}-${pinnedVersion}.tgz`);
    const hash = createHash('sha512');
    await pipeline(createReadStream(archive), hash);
    const found = `sha512-${hash.digest('base64')}`;
    if (found !== (integrity?.[platform] ?? pinned)) {
      return connectionProblem('runtime.no-build', `${name} from the registry is not the package expected`);
    }
    await exec('tar', ['-xzf', archive, '-C', work, 'package/bin/node'], { timeout: fetchDeadline });
    await rename(join(work, 'package/bin/node'), kept);
    return undefined;
  } catch (error) {
    return connectionProblem('runtime.no-build', `${name} cannot be fetched: ${lastWords(error)}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function lastWords(error: unknown): string {
  const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
  if (code === 'ENOENT') return 'npm or tar was not found';
  const said = (stderr ?? '').trim().split('\n').filter(Boolean);
  return (said.slice(0, 3).join(' ') || message).slice(0, 500);
}
