#!/usr/bin/env python3
"""Start, watch and decide on changes of atlas-cmk from Python: Temporal's HTTP API and the standard library, nothing else.

    atlas_cmk.py start EnableWithPrivateEndpoints request.json
    atlas_cmk.py start RetireAccess request.json cmk-retire-AKIAIOSFODNN7EXAMPLE
    atlas_cmk.py status cmk-64b7f0c2a1b2c3d4e5f60718
    atlas_cmk.py send cmk-64b7f0c2a1b2c3d4e5f60718 approve-endpoint '{"by": "alex@security", "region": "all"}'
    atlas_cmk.py wait cmk-64b7f0c2a1b2c3d4e5f60718

The environment says where Temporal is: TEMPORAL_HTTP (http://127.0.0.1:7243 if unset), TEMPORAL_NAMESPACE, and
TEMPORAL_API_KEY where one is needed.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

SERVER = os.environ.get("TEMPORAL_HTTP", "http://127.0.0.1:7243").rstrip("/")
NAMESPACE = os.environ.get("TEMPORAL_NAMESPACE", "default")
TASK_QUEUE = "atlas-cmk"


class Refused(Exception):
    """The change did not take a decision, or Temporal refused the call."""


def call(method, path, body=None, timeout=90):
    """Make one call of the HTTP API."""
    url = f"{SERVER}/api/v1/namespaces/{urllib.parse.quote(NAMESPACE)}/workflows/{path}"
    headers = {"Content-Type": "application/json"}
    if os.environ.get("TEMPORAL_API_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["TEMPORAL_API_KEY"]
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        raise Refused(json.load(refusal).get("message", str(refusal))) from None


def recommended_id(workflow_type, request):
    """The id under which the command line looks for it. A watch, a read and a dry run do not get in a change's way."""
    if "projectId" not in request:
        raise Refused(f"give a workflow id: {workflow_type} is not about one project")
    prefix = {"WatchProject": "cmk-watch-", "ReadProject": "cmk-read-"}.get(workflow_type, "cmk-")
    return prefix + request["projectId"] + ("-plan" if request.get("dryRun") else "")


def start(workflow_type, request, workflow_id=None):
    """Start a change, under the recommended id if none is given. A second one of that id while it runs is refused."""
    workflow_id = workflow_id or recommended_id(workflow_type, request)
    answer = call("POST", urllib.parse.quote(workflow_id), {
        "workflowType": {"name": workflow_type},
        "taskQueue": {"name": TASK_QUEUE},
        "workflowIdConflictPolicy": "WORKFLOW_ID_CONFLICT_POLICY_FAIL",
        "input": [request],
    })
    return {"workflowId": workflow_id, "runId": answer["runId"]}


def status(workflow_id):
    """Where the change stands, open or closed: cmk/schema/Status.json."""
    answer = call("POST", f"{urllib.parse.quote(workflow_id)}/query/status", {})
    return answer["queryResult"][0]


def send(workflow_id, name, payload):
    """Deliver a decision as an update, which answers with the status after it: cmk/schema/Decision.json."""
    answer = call("POST", f"{urllib.parse.quote(workflow_id)}/update/{name}", {
        "waitPolicy": {"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"},
        "request": {"meta": {"updateId": str(uuid.uuid4())}, "input": {"args": [payload]}},
    })
    outcome = answer["outcome"]
    if "failure" in outcome:
        raise Refused(outcome["failure"]["message"])
    return outcome["success"][0]


def signal(workflow_id, name, payload):
    """Deliver a decision as a signal, which is kept until a worker takes it; nobody answers."""
    call("POST", f"{urllib.parse.quote(workflow_id)}/signal/{name}", {"input": [payload]})


def wait(workflow_id):
    """Wait until the change has ended; its report, cmk/schema/Report.json, and the error's type if it did not complete."""
    while True:
        answer = call("GET", f"{urllib.parse.quote(workflow_id)}/history"
                             "?waitNewEvent=true&historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT")
        events = answer.get("history", {}).get("events", [])
        if not events:
            continue
        last = events[-1]
        if "workflowExecutionCompletedEventAttributes" in last:
            return last["workflowExecutionCompletedEventAttributes"]["result"][0], None
        if "workflowExecutionCanceledEventAttributes" in last:
            return (last["workflowExecutionCanceledEventAttributes"].get("details") or [None])[0], "Canceled"
        if "workflowExecutionFailedEventAttributes" in last:
            info = last["workflowExecutionFailedEventAttributes"]["failure"].get("applicationFailureInfo", {})
            return (info.get("details") or [None])[0], info.get("type", "Failed")
        return None, last["eventType"]


def main(arguments):
    command = arguments[0] if arguments else ""
    if command == "start" and len(arguments) in (3, 4):
        with open(arguments[2], encoding="utf-8") as file:
            answer = start(arguments[1], json.load(file), *arguments[3:])
    elif command == "status" and len(arguments) == 2:
        answer = status(arguments[1])
    elif command == "send" and len(arguments) == 4:
        answer = send(arguments[1], arguments[2], json.loads(arguments[3]))
    elif command == "wait" and len(arguments) == 2:
        answer, failed = wait(arguments[1])
        if failed:
            print(json.dumps(answer, indent=2))
            sys.exit(f"the change ended with {failed}")
    else:
        sys.exit(__doc__)
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
