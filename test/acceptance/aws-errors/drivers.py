"""Requests by an unmodified boto3, one JSON object a line: {id, operation, region, request} in, {id, ...how it ended} out."""
import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

# What the service is to refuse has to reach it.
CONFIG = Config(retries={'total_max_attempts': 1}, parameter_validation=False, max_pool_connections=32)
clients = {}
lock = threading.Lock()


def client_in(region):
    with lock:
        if region not in clients:
            clients[region] = boto3.client('kms', endpoint_url=sys.argv[1], region_name=region, config=CONFIG)
        return clients[region]


def decoded(value):
    if isinstance(value, list):
        return [decoded(one) for one in value]
    if not isinstance(value, dict):
        return value
    if '$bytes' in value:
        return base64.b64decode(value['$bytes'])
    return {name: decoded(one) for name, one in value.items()}


def ended(operation, region, request):
    method = getattr(client_in(region), xform_name(operation), None)
    if method is None:
        return {'unknown': True}
    try:
        answer = method(**decoded(request))
        del answer['ResponseMetadata']
        return {'members': sorted(answer), 'output': answer}
    except ClientError as error:
        told = error.response['Error']
        status = error.response['ResponseMetadata']['HTTPStatusCode']
        return {'error': told['Code'], 'message': told.get('Message', ''), 'status': status}


def serve(line):
    asked = json.loads(line)
    try:
        end = ended(asked['operation'], asked['region'], asked['request'])
    except Exception as error:
        end = {'error': type(error).__name__, 'message': str(error), 'status': 0}
    with lock:
        print(json.dumps({'id': asked['id'], **end}, default=str), flush=True)


with ThreadPoolExecutor(32) as pool:
    for line in sys.stdin:
        pool.submit(serve, line)
