/**
 * Google's predefined roles for Cloud KMS and their permissions (cloud.google.com/iam/docs/roles-permissions/cloudkms),
 * without those of other services.
 */
const all = (resource: string, verbs: readonly string[]): readonly string[] =>
  verbs.map((verb) => `cloudkms.${resource}.${verb}`)

const IAM = ['getIamPolicy', 'setIamPolicy']
const LOCATIONS = all('locations', ['get', 'list'])
const uses = (...verbs: readonly string[]): readonly string[] => [...all('cryptoKeyVersions', verbs), ...LOCATIONS]

const ADMIN = [
  ...all('autokeyConfigs', ['get', 'update']),
  ...all('cryptoKeyVersions', [
    'create',
    'delete',
    'destroy',
    'get',
    'list',
    'restore',
    'trustedImportExport',
    'update',
    'useToDecryptViaDelegation',
    'useToEncryptViaDelegation',
  ]),
  ...all('cryptoKeys', ['create', 'delete', 'get', 'list', 'update', ...IAM]),
  ...all('ekmConfigs', ['get', 'update', ...IAM]),
  ...all('ekmConnections', ['create', 'get', 'list', 'update', 'use', 'verifyConnectivity', ...IAM]),
  ...all('importJobs', ['create', 'get', 'list', 'useToImport', ...IAM]),
  ...all('keyHandles', ['create', 'get', 'list']),
  ...all('keyRings', [
    'create',
    'createTagBinding',
    'deleteTagBinding',
    'get',
    'list',
    'listEffectiveTags',
    'listTagBindings',
    ...IAM,
  ]),
  ...all('locations', ['get', 'list', 'optOutKeyDeletionMsa']),
  ...all('operations', ['get']),
  ...all('projects', ['showEffectiveAutokeyConfig']),
  ...all('retiredResources', ['get', 'list']),
]

const VIEWER = [
  ...all('autokeyConfigs', ['get']),
  ...['cryptoKeyVersions', 'cryptoKeys', 'ekmConnections', 'importJobs', 'keyHandles', 'keyRings', 'locations'].flatMap(
    (resource) => all(resource, ['get', 'list']),
  ),
  ...all('ekmConfigs', ['get']),
  ...all('operations', ['get']),
  ...all('retiredResources', ['get', 'list']),
]

const PERMISSIONS = {
  'roles/cloudkms.admin': ADMIN,
  'roles/cloudkms.autokeyAdmin': [
    ...all('autokeyConfigs', ['get', 'update']),
    ...all('projects', ['showEffectiveAutokeyConfig']),
  ],
  'roles/cloudkms.autokeyUser': [
    ...all('keyHandles', ['create', 'get', 'list']),
    ...all('operations', ['get']),
    ...all('projects', ['showEffectiveAutokeyConfig']),
  ],
  'roles/cloudkms.cryptoKeyDecrypter': uses('useToDecrypt'),
  'roles/cloudkms.cryptoKeyDecrypterViaDelegation': uses('useToDecryptViaDelegation'),
  'roles/cloudkms.cryptoKeyEncrypter': uses('useToEncrypt'),
  'roles/cloudkms.cryptoKeyEncrypterViaDelegation': uses('useToEncryptViaDelegation'),
  'roles/cloudkms.cryptoKeyEncrypterDecrypter': uses('useToDecrypt', 'useToEncrypt'),
  'roles/cloudkms.cryptoKeyEncrypterDecrypterViaDelegation': uses(
    'useToDecryptViaDelegation',
    'useToEncryptViaDelegation',
  ),
  'roles/cloudkms.cryptoOperator': [
    ...uses('useToDecapsulate', 'useToDecrypt', 'useToEncrypt', 'useToSign', 'useToVerify', 'viewPublicKey'),
    ...all('locations', ['generateRandomBytes']),
  ],
  'roles/cloudkms.decapsulator': uses('useToDecapsulate', 'viewPublicKey'),
  'roles/cloudkms.ekmConnectionsAdmin': [
    ...all('ekmConfigs', ['get', 'update']),
    ...all('ekmConnections', ['create', 'get', 'list', 'update']),
  ],
  'roles/cloudkms.expertPqcSigner': all('cryptoKeyVersions', ['managePqcSign']),
  'roles/cloudkms.expertRawAesCbc': all('cryptoKeyVersions', ['manageRawAesCbcKeys']),
  'roles/cloudkms.expertRawAesCtr': all('cryptoKeyVersions', ['manageRawAesCtrKeys']),
  'roles/cloudkms.expertRawPKCS1': all('cryptoKeyVersions', ['manageRawPKCS1Keys']),
  'roles/cloudkms.importer': [
    ...all('cryptoKeyVersions', ['trustedImportExport']),
    ...all('importJobs', ['create', 'get', 'list', 'useToImport']),
    ...LOCATIONS,
  ],
  'roles/cloudkms.publicKeyViewer': uses('viewPublicKey'),
  'roles/cloudkms.signer': uses('useToSign'),
  'roles/cloudkms.signerVerifier': uses('useToSign', 'useToVerify', 'viewPublicKey'),
  'roles/cloudkms.verifier': uses('useToVerify', 'viewPublicKey'),
  'roles/cloudkms.viewer': VIEWER,
} as const satisfies Readonly<Record<string, readonly string[]>>

export const ROLE_NAMES = Object.keys(PERMISSIONS) as readonly (keyof typeof PERMISSIONS)[]
const SETS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(PERMISSIONS).map(([role, permissions]) => [role, new Set(permissions)]),
)
/** Undefined for a role that is not known. */
export const permissionsOf = (role: string): ReadonlySet<string> | undefined => SETS.get(role)
