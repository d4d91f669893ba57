"""The slice, by an unmodified boto3: exits non-zero with the assertion that failed."""
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

kms = boto3.client('kms', endpoint_url=sys.argv[1], config=Config(retries={'max_attempts': 1}))


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response['Error']['Code'] == code, error
        assert error.response['ResponseMetadata']['HTTPStatusCode'] == 400, error
        assert error.response['ResponseMetadata']['RequestId'], error
        return error.response['Error'].get('Message')
    raise AssertionError(f'{code} expected')


key = kms.create_key(Description='by boto3')['KeyMetadata']
key_id, arn = key['KeyId'], key['Arn']
assert key['KeyState'] == 'Enabled' and key['CreationDate'].year >= 2024

sealed = kms.encrypt(KeyId=key_id, Plaintext=b'attack at dawn', EncryptionContext={'a': 'b'})
assert sealed['KeyId'] == arn
opened = kms.decrypt(CiphertextBlob=sealed['CiphertextBlob'], EncryptionContext={'a': 'b'})
assert opened['Plaintext'] == b'attack at dawn' and opened['KeyId'] == arn
refused('InvalidCiphertextException', kms.decrypt, CiphertextBlob=sealed['CiphertextBlob'], EncryptionContext={'ab': ''})
message = refused('ValidationException', kms.encrypt, KeyId=key_id, Plaintext=b'x' * 4097)
assert message.endswith("Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096")

data_key = kms.generate_data_key(KeyId=key_id, KeySpec='AES_256')
assert len(data_key['Plaintext']) == 32
assert kms.decrypt(CiphertextBlob=data_key['CiphertextBlob'])['Plaintext'] == data_key['Plaintext']

other = kms.create_key()['KeyMetadata']
moved = kms.re_encrypt(CiphertextBlob=sealed['CiphertextBlob'], SourceEncryptionContext={'a': 'b'}, DestinationKeyId=other['KeyId'])
assert moved['SourceKeyId'] == arn and moved['KeyId'] == other['Arn']
assert moved['DestinationKeyMaterialId'] == other['CurrentKeyMaterialId']
assert kms.decrypt(CiphertextBlob=moved['CiphertextBlob'])['Plaintext'] == b'attack at dawn'
refused('IncorrectKeyException', kms.re_encrypt, CiphertextBlob=moved['CiphertextBlob'], SourceKeyId=arn, DestinationKeyId=arn)

mac_key = kms.create_key(KeySpec='HMAC_512', KeyUsage='GENERATE_VERIFY_MAC')['KeyMetadata']
assert mac_key['MacAlgorithms'] == ['HMAC_SHA_512']
maced = kms.generate_mac(KeyId=mac_key['KeyId'], Message=b'message', MacAlgorithm='HMAC_SHA_512')
assert len(maced['Mac']) == 64
assert kms.verify_mac(KeyId=mac_key['Arn'], Message=b'message', Mac=maced['Mac'], MacAlgorithm='HMAC_SHA_512')['MacValid'] is True
refused('KMSInvalidMacException', kms.verify_mac, KeyId=mac_key['Arn'], Message=b'other', Mac=maced['Mac'], MacAlgorithm='HMAC_SHA_512')
assert len(kms.generate_random(NumberOfBytes=33)['Plaintext']) == 33

pair = kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec='ECC_NIST_P256', EncryptionContext={'a': 'b'})
assert pair['KeyId'] == arn and pair['KeyMaterialId'] == key['CurrentKeyMaterialId']
opened = kms.decrypt(CiphertextBlob=pair['PrivateKeyCiphertextBlob'], EncryptionContext={'a': 'b'})
assert opened['Plaintext'] == pair['PrivateKeyPlaintext'] and pair['PublicKey'][-65:] in opened['Plaintext']
blind = kms.generate_data_key_pair_without_plaintext(KeyId=key_id, KeyPairSpec='ECC_NIST_EDWARDS25519')
assert 'PrivateKeyPlaintext' not in blind and len(blind['PublicKey']) == 44
agreed = [kms.create_key(KeySpec='ECC_NIST_P521', KeyUsage='KEY_AGREEMENT')['KeyMetadata']['KeyId'] for _ in range(2)]
points = [kms.get_public_key(KeyId=one)['PublicKey'] for one in agreed]
secrets = {
    kms.derive_shared_secret(KeyId=one, KeyAgreementAlgorithm='ECDH', PublicKey=point)['SharedSecret']
    for one, point in zip(agreed, reversed(points))
}
assert len(secrets) == 1 and len(secrets.pop()) == 66
refused('DryRunOperationException', kms.generate_data_key_pair, KeyId=key_id, KeyPairSpec='RSA_4096', DryRun=True)

signer = kms.create_key(KeySpec='RSA_2048', KeyUsage='SIGN_VERIFY')['KeyMetadata']['KeyId']
for algorithm in kms.get_public_key(KeyId=signer)['SigningAlgorithms']:
    signed = kms.sign(KeyId=signer, Message=b'message', SigningAlgorithm=algorithm)
    verdict = kms.verify(KeyId=signer, Message=b'message', Signature=signed['Signature'], SigningAlgorithm=algorithm)
    assert verdict['SignatureValid'] is True
    refused('KMSInvalidSignatureException', kms.verify, KeyId=signer, Message=b'other', Signature=signed['Signature'], SigningAlgorithm=algorithm)

kms.create_alias(AliasName='alias/boto3', TargetKeyId=key_id)
assert kms.describe_key(KeyId='alias/boto3')['KeyMetadata']['Arn'] == arn
assert [alias['AliasName'] for page in kms.get_paginator('list_aliases').paginate() for alias in page['Aliases']] == ['alias/boto3']
assert {row['KeyId'] for page in kms.get_paginator('list_keys').paginate(PaginationConfig={'PageSize': 1}) for row in page['Keys']} == {key_id, signer, other['KeyId'], mac_key['KeyId'], *agreed}
kms.delete_alias(AliasName='alias/boto3')
refused('NotFoundException', kms.describe_key, KeyId='alias/boto3')

kms.disable_key(KeyId=key_id)
assert refused('DisabledException', kms.encrypt, KeyId=key_id, Plaintext=b'x') == f'{arn} is disabled.'
kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
assert refused('KMSInvalidStateException', kms.enable_key, KeyId=key_id) == f'{arn} is pending deletion.'
kms.cancel_key_deletion(KeyId=key_id)
kms.enable_key(KeyId=key_id)
assert kms.decrypt(CiphertextBlob=sealed['CiphertextBlob'], EncryptionContext={'a': 'b'})['Plaintext'] == b'attack at dawn'
kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
assert kms.get_key_rotation_status(KeyId=key_id)['KeyRotationEnabled'] is True
refused('UnsupportedOperationException', kms.enable_key_rotation, KeyId=signer)
print('done')
