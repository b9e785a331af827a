import assert from 'node:assert/strict'
import test from 'node:test'
import { SopClass, TransferSyntax } from '@dicomtap/framework'
import { createTestServer, encodedSample, sampleDataset, testScu } from '@dicomtap/framework/testing'
import { {{exportName}} } from '{{name}}'

/** Stores a CT slice as `callingAeTitle` in a server with the plugin and gives the status of the response. */
async function storeAs(callingAeTitle: string): Promise<number> {
  await using server = await createTestServer({
    contexts: [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] }],
    plugins: [{{exportName}}({ senders: ['CT01'] })],
    // Stands in for a plugin that stores.
    handlers: { cStore: () => 0x0000 },
  })
  await using scu = await testScu(server, {
    callingAeTitle,
    contexts: [[SopClass.CTImageStorage, TransferSyntax.ExplicitVRLittleEndian]],
  })
  const response = await scu.store({
    sopClassUid: SopClass.CTImageStorage,
    sopInstanceUid: String(sampleDataset('ct')['SOPInstanceUID']),
    transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian,
    dataSet: await encodedSample('ct'),
  })
  return response.status
}

test('a listed sender may store', async () => {
  assert.equal(await storeAs('CT01'), 0x0000)
})

test('everybody else is refused', async () => {
  assert.equal(await storeAs('CT99'), 0x0124)
})

test('options are checked when the server starts', async () => {
  await assert.rejects(createTestServer({ plugins: [{{exportName}}({ senders: [] })] }), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
})
