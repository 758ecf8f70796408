# A small honest MCP server over stdio, without any package: raw JSON-RPC, one message a line.
import json
import sys

TOOL = {'name': 'echo', 'description': 'Says it again', 'inputSchema': {'type': 'object', 'properties': {}}}


def answer(method, params):
    if method == 'initialize':
        info = {'name': 'plain-python', 'version': '1.0.0'}
        return {'protocolVersion': '2025-11-25', 'capabilities': {'tools': {}}, 'serverInfo': info}
    if method == 'tools/list':
        return {'tools': [TOOL]}
    if method == 'tools/call':
        return {'content': [{'type': 'text', 'text': json.dumps(look(params))}]}
    return None


def look(params):
    return {}


def main():
    for line in sys.stdin:
        message = json.loads(line)
        if 'id' not in message or 'method' not in message:
            continue
        result = answer(message['method'], message.get('params') or {})
        error = {'code': -32601, 'message': 'no such method'}
        reply = {'result': result} if result is not None else {'error': error}
        print(json.dumps({'jsonrpc': '2.0', 'id': message['id'], **reply}), flush=True)
