#!/usr/bin/env node
/**
 * Starts Towline on a Node that can run it.
 * Invariant: below Node 24 it continues on the bundled Node, or says what is wrong and exits 1; signals and the exit status pass through.
 * Never uses anything newer than ES2015 and Node 8: old versions must reach the message.
 */
'use strict';

const fs = require('fs');
const nodeModule = require('module');
const os = require('os');
const path = require('path');
const url = require('url');
const childProcess = require('child_process');

const needed = 24;
const root = path.resolve(__dirname, '..');
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'];

/** The program: bundled in a package, source in a checkout. */
function entry() {
  const source = path.join(root, 'reconciler', 'main.ts');
  return fs.existsSync(source) ? source : path.join(root, 'dist', 'main.js');
}

/** The bundled Node: beside this package, or in a folder above it. Not from the working folder, which may be a stranger's. */
function bundledNode() {
  const name = `node-linux-${process.arch}`;
  try {
    const manifest = require.resolve(`${name}/package.json`, { paths: [root] });
    const file = path.join(path.dirname(manifest), 'bin', 'node');
    return fs.existsSync(file) ? file : undefined;
  } catch (_error) {
    return undefined;
  }
}

function explain() {
  const name = `node-linux-${process.arch}`;
  process.stderr.write(
    [
      `towline needs Node ${needed} or newer, but this is Node ${process.versions.node} (${process.execPath}).`,
      `Either install Node ${needed} from https://nodejs.org and start towline again,`,
      `or let npm bring one in beside it: npm install ${name}@${needed}`,
      '',
    ].join('\n'),
  );
  process.exitCode = 1;
}

function continueOn(node) {
  const args = process.execArgv.concat([__filename], process.argv.slice(2));
  const child = childProcess.spawn(node, args, { stdio: 'inherit' });
  signals.forEach((signal) => {
    process.on(signal, () => {
      // A terminal sends these to the child as well; a second one would mean "stop at once".
      const twice = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
      if (!twice) child.kill(signal);
    });
  });
  child.on('error', (error) => {
    process.stderr.write(`towline could not start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (status, signal) => {
    if (signal === null) {
      process.exitCode = status;
      return;
    }
    signals.forEach((name) => {
      process.removeAllListeners(name);
    });
    process.kill(process.pid, signal);
  });
}

/** A folder where nobody else can put anything: it and all above it belong to us or root, and only the owner writes there. */
function isPrivate(folder) {
  const about = fs.lstatSync(folder);
  const isOwned = about.isDirectory() && (about.uid === 0 || about.uid === process.getuid());
  const isShared = (about.mode & 0o022) !== 0 && (about.mode & 0o1000) === 0;
  const above = path.dirname(folder);
  return isOwned && !isShared && (above === folder || isPrivate(above));
}

/** Lets Node keep what it compiled, which halves the time to start. What is kept is run, so the folder has to be our own. */
function keepCompiled() {
  if (typeof nodeModule.enableCompileCache !== 'function' || process.env.NODE_COMPILE_CACHE) return;
  try {
    const caches = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
    const folder = path.join(caches, 'towline', 'compiled');
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (isPrivate(fs.realpathSync(folder))) nodeModule.enableCompileCache(folder);
  } catch (_error) {
    // Without a folder to write to it only starts more slowly.
  }
}

function start() {
  if (Number(process.versions.node.split('.')[0]) >= needed) {
    keepCompiled();
    // A plain import() is a syntax error before Node 13, so that old ones would not reach the message.
    const load = new Function('address', 'return import(address)');
    load(url.pathToFileURL(entry()).href).catch((error) => {
      process.stderr.write(`${(error && error.stack) || error}\n`);
      process.exitCode = 1;
    });
    return;
  }
  const node = bundledNode();
  if (node === undefined) explain();
  else continueOn(node);
}

start();
