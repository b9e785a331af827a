import { readFile } from 'node:fs/promises'
import test from 'ava'
import { DEFAULT_TRANSFER_SYNTAXES, SopClass, Stage, TransferSyntax, definePlugin } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import { verification, verificationOptions } from '@dicomtap/plugin-verification'
import type { VerificationService } from '@dicomtap/plugin-verification'
import { z } from 'zod'
import { EchoLog } from '../dist/echo-log.js'

/** Hands out the service, as a later plugin gets it. */
function listener(): { plugin: ReturnType<ReturnType<typeof definePlugin>>; service(): VerificationService } {
  let service: VerificationService | undefined
  const listen = definePlugin({
    name: 'dicomtap-plugin-listener',
    requires: ['verification'],
    apply(api) {
      service = api.inject('verification')
    },
  })
  return {
    plugin: listen(),
    service() {
      if (service === undefined) throw new Error('no service')
      return service
    },
  }
}

test('answers C-ECHO with 0000 in each default transfer syntax', async (t) => {
  await using server = await createTestServer({ plugins: [verification()] })
  for (const transferSyntax of DEFAULT_TRANSFER_SYNTAXES) {
    await using scu = await testScu(server, { contexts: [[SopClass.Verification, transferSyntax]] })
    t.is(scu.contexts[0]?.transferSyntax, transferSyntax)
    t.is((await scu.echo()).status, 0x0000)
  }
})

test('remembers the last echo of each peer', async (t) => {
  const { plugin, service } = listener()
  await using server = await createTestServer({ plugins: [plugin, verification()] })
  const before = Date.now()
  for (const callingAeTitle of ['CT01', 'MR01', 'CT01']) {
    // Over the network, where a peer has an address.
    await using scu = await testScu(server.port, { callingAeTitle, contexts: [[SopClass.Verification, TransferSyntax.ImplicitVRLittleEndian]] })
    await scu.echo()
    await scu.echo()
  }
  const { lastEcho, lastEchoes } = service()
  const echo = lastEcho('CT01')
  t.like(echo, { callingAeTitle: 'CT01', address: '127.0.0.1', status: 0, count: 4 })
  t.true(echo !== undefined && echo.at.getTime() >= before && echo.at.getTime() <= Date.now())
  t.deepEqual(
    lastEchoes().map(({ callingAeTitle, count }) => [callingAeTitle, count]),
    [['CT01', 4], ['MR01', 2]],
  )
  t.is(lastEcho('OTHER'), undefined)
  t.is(server.log.filter(({ level, message }) => level === 'debug' && message === 'echo').length, 6)
})

test('leaves the answer to others, and remembers it', async (t) => {
  const { plugin, service } = listener()
  const maintenance = definePlugin({
    name: 'dicomtap-plugin-maintenance',
    apply: (api) => api.hooks.cEcho.tap({ stage: Stage.Late }, () => 0x0110),
  })
  await using server = await createTestServer({ plugins: [verification(), maintenance(), plugin] })
  await using scu = await testScu(server, { callingAeTitle: 'CT01', contexts: [[SopClass.Verification, TransferSyntax.ImplicitVRLittleEndian]] })
  t.is((await scu.echo()).status, 0x0110)
  t.is(service().lastEcho('CT01')?.status, 0x0110)
})

test('forgets the peer that was silent longest', (t) => {
  const log = new EchoLog(2)
  log.add('A', '10.0.0.1', 0)
  log.add('B', '10.0.0.1', 0)
  log.add('A', '10.0.0.1', 0)
  log.add('A', '10.0.0.2', 0)
  t.deepEqual(log.list().map(({ callingAeTitle, address, count }) => `${callingAeTitle} ${address} ${count}`), ['A 10.0.0.2 1', 'A 10.0.0.1 2'])
  t.is(log.last('A')?.address, '10.0.0.2')
  t.is(log.last('B'), undefined)
})

test('options: defaults, limits, no others', async (t) => {
  t.deepEqual(verificationOptions.parse({}), { maximumPeers: 1000 })
  t.false(verificationOptions.safeParse({ maximumPeers: 0 }).success)
  await t.throwsAsync(createTestServer({ plugins: [verification({ maximumPear: 3 } as never)] }), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
})

test('schema.json is that of the options', async (t) => {
  const file = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as unknown
  t.deepEqual(file, z.toJSONSchema(verificationOptions, { io: 'input', unrepresentable: 'any' }), 'run "npm run build && node scripts/write-schemas.mjs"')
})
