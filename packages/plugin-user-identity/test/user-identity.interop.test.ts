import { execFile, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { DEFAULT_TRANSFER_SYNTAXES, SopClass, TransferSyntax } from '@dicomtap/framework'
import { createTestServer, writeSampleFile } from '@dicomtap/framework/testing'
import { userIdentity } from '@dicomtap/plugin-user-identity'
import type { UserIdentityPluginOptions } from '@dicomtap/plugin-user-identity'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { ALICE, bytes, temporaryFolder, usersYaml } from './support/peer.js'

const hasDcmtk = spawnSync('storescu', ['--version']).error === undefined
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write('SKIPPED: storescu of DCMTK is not installed, user identities were not tried with it\n')

interop('storescu of DCMTK: each type, with and without a positive response, right and wrong', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'ct.dcm')
  await writeSampleFile(file, 'ct', TransferSyntax.ExplicitVRLittleEndian)
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwks = join(folder, 'jwks.json')
  await writeFile(jwks, JSON.stringify({ keys: [await exportJWK(publicKey)] }))
  const token = join(folder, 'token')
  const jwt = new SignJWT({ sub: 'alice', iss: 'i', aud: 'a' }).setProtectedHeader({ alg: 'ES256' }).setExpirationTime('1m')
  // With a line break, as editors leave it: storescu sends the file as it is.
  await writeFile(token, `${await jwt.sign(privateKey)}\n`)
  const ticket = join(folder, 'ticket')
  await writeFile(ticket, 'a ticket, odd lengths')

  const seen: string[] = []
  const callback: UserIdentityPluginOptions['kerberos'] = async (field) => {
    seen.push(Buffer.from(field).toString())
    return { verified: true, user: 'ct', response: bytes('server token') }
  }
  const options: UserIdentityPluginOptions = {
    users: { file: await usersYaml(t, `users:\n  alice:\n    passcode: ${ALICE}\n`) },
    usernameOnly: ['OLDCT'],
    jwt: { jwks, issuer: 'i', audience: 'a', response: () => 'server token' },
    kerberos: callback,
    saml: callback,
    lockout: false,
  }
  await using server = await createTestServer({
    plugins: [userIdentity(options)],
    contexts: [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES }],
    handlers: { cStore: () => 0x0000 },
  })
  const store = (args: readonly string[]): Promise<{ code: number; output: string }> =>
    new Promise((resolve) => {
      execFile('storescu', ['-v', ...args, '127.0.0.1', String(server.port), file], (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : 1, output: stdout + stderr })
      })
    })
  const identities = [['-usr', 'OLDCT'], ['-usr', 'alice', '-pwd', 'password'], ['-kt', ticket], ['--saml', ticket], ['--jwt', token]]
  for (const identity of identities) {
    for (const asking of [[], ['-rsp']]) {
      const { code, output } = await store([...identity, ...asking])
      t.is(code, 0, `${identity.join(' ')} ${asking.join(' ')}\n${output}`)
    }
  }
  t.deepEqual(seen, Array.from({ length: 4 }, () => 'a ticket, odd lengths'))
  for (const identity of [[], ['-usr', 'alice'], ['-usr', 'alice', '-pwd', 'wrong'], ['-usr', 'alice', '-epw'], ['--jwt', ticket]]) {
    const { code, output } = await store(identity)
    t.not(code, 0, identity.join(' '))
    t.regex(output, /Rejected Transient/i)
  }
})
