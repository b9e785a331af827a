#!/usr/bin/env node
// A .cpuprofile as a flame graph: node flame.mjs <profile> [<picture.svg>] [<title>]
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { flameGraph, selfTimes } from './bench/flame-graph.mjs'

const [file, picture = `${file}.svg`, title = basename(file ?? '')] = process.argv.slice(2)
if (file === undefined) {
  console.error('node flame.mjs <profile.cpuprofile> [<picture.svg>] [<title>]')
  process.exit(2)
}
const profile = JSON.parse(readFileSync(file, 'utf8'))
writeFileSync(picture, flameGraph(profile, title))
for (const { name, share } of selfTimes(profile).slice(0, 25)) console.log(`${(share * 100).toFixed(1).padStart(5)} %  ${name}`)
