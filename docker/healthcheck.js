// Exits 0 while the server answers /_/health/live. HEALTH_URL names another address than the profile's default.
import http from 'node:http'
import https from 'node:https'

const { HEALTH_URL, TREFOIL_PROFILE, TREFOIL_PORT = '7400', TREFOIL_TLS_PORT = '7443' } = process.env
const production = TREFOIL_PROFILE === 'production'
const url = new URL(
  HEALTH_URL ??
    `${production ? `https://127.0.0.1:${TREFOIL_TLS_PORT}` : `http://127.0.0.1:${TREFOIL_PORT}`}/_/health/live`,
)

// The certificate is for the server's public name, not for 127.0.0.1, and nothing secret is sent.
const options = { timeout: 4000, rejectUnauthorized: false }
const request = (url.protocol === 'https:' ? https : http).get(url, options, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1)
})
request.on('timeout', () => request.destroy())
request.on('error', () => process.exit(1))
