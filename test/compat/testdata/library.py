"""Checks karborclient as a library: v1.client with a Keystone session.

Prints a JSON object for each check, {"name": ..., "error": ...}; the error is
empty if the check passed. What is in the cloud is in the variables COMPAT_*.
"""

import json
import os
import sys
import time
import traceback

from keystoneauth1 import session
from keystoneauth1.identity import v3
from karborclient import client as versioned
from karborclient.common.apiclient import exceptions
from karborclient.v1 import client

CHECKS = []


def check(f):
    CHECKS.append(f)
    return f


def env(name):
    return os.environ["COMPAT_" + name]


def connect(user="demo", password=None, make=None):
    auth = v3.Password(
        auth_url=os.environ["OS_AUTH_URL"], username=user, user_domain_id="default",
        password=password or os.environ["OS_PASSWORD"], project_name=user, project_domain_id="default")
    s = session.Session(auth=auth)
    if make is None:
        return client.Client(session=s, auth=auth, service_type="data-protect")
    return make(s, auth)


def equal(got, want):
    if got != want:
        raise AssertionError("%r, not %r" % (got, want))


def refused(kind, says, f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except kind as e:
        if says not in str(e):
            raise AssertionError("%r does not say %r" % (str(e), says))
        if "req-" not in str(e):
            raise AssertionError("%r names no request id" % str(e))
        return e
    raise AssertionError("%s%r was not refused" % (f.__name__, args))


def resource(kind="volume", type="OS::Cinder::Volume"):
    return {"id": env(kind.upper()), "type": type, "name": kind}


def plan(c, name, provider="NOOP"):
    return c.plans.create(name, env(provider), [resource()], {}, description="made by the library")


def wait(get, status):
    for _ in range(300):
        got = get()
        if got.status == status:
            return got
        time.sleep(0.2)
    raise AssertionError("the status is %r, not %r" % (got.status, status))


@check
def versions_answer(c):
    resp = c.http_client.request("", "GET", endpoint_override=env("API") + "/", raise_exc=False)[0]
    equal(resp.status_code, 300)
    equal(resp.json()["versions"][0]["id"], "v1.0")


@check
def versioned_client_takes_an_endpoint(c):
    def make(s, auth):
        return versioned.Client("1", c.http_client.get_endpoint(), session=s, auth=auth, service_type="data-protect")
    equal(len(connect(make=make).providers.list()), 4)


@check
def plain_client_takes_a_token(c):
    plain = client.Client(c.http_client.get_endpoint(), token=c.http_client.get_token(), project_id=env("PROJECT"))
    equal(len(plain.providers.list()), 4)
    p = plan(plain, "lib-plain")
    equal(plain.plans.get(p.id).name, "lib-plain")
    plain.plans.delete(p.id)
    try:
        plain.plans.get(p.id)
    except exceptions.NotFound as e:
        if env("PROJECT") in str(e):
            raise AssertionError(str(e))
    else:
        raise AssertionError("a deleted plan is found")


@check
def bad_token_is_an_authorization_failure(c):
    plain = client.Client(c.http_client.get_endpoint(), token="nonsense", project_id=env("PROJECT"))
    try:
        plain.providers.list()
    except exceptions.AuthorizationFailure:
        return
    raise AssertionError("a bad token was taken")


@check
def providers(c):
    equal(sorted(p.name for p in c.providers.list()), ["bank", "noop", "services", "snapshots"])
    equal([p.name for p in c.providers.list(search_opts={"name": "noop"})], ["noop"])
    p = c.providers.get(env("BANK"))
    equal(sorted(p.extended_info_schema), ["options_schema", "restore_schema", "saved_info_schema", "verify_schema"])
    equal(c.providers.find(name="noop").id, env("NOOP"))
    refused(exceptions.NotFound, "provider", c.providers.get, env("UNKNOWN"))
    refused(exceptions.BadRequest, "nosuch", c.providers.get, "nosuch")


@check
def protectables(c):
    types = [p.protectable_type for p in c.protectables.list()]
    equal("OS::Nova::Server" in types, True)
    equal(c.protectables.get("OS::Cinder::Volume").dependent_types, [])
    found = c.protectables.list_instances("OS::Nova::Server")
    equal([(i.id, i.name, i.type) for i in found], [(env("SERVER"), "web", "OS::Nova::Server")])
    equal(env("IMAGE") in [d["id"] for d in found[0].dependent_resources], True)
    got = c.protectables.get_instance("OS::Cinder::Volume", env("VOLUME"), search_opts={"parameters": {"a": "b", "c": None}})
    equal(got.name, "data")
    refused(exceptions.NotFound, env("UNKNOWN"), c.protectables.get_instance, "OS::Cinder::Volume", env("UNKNOWN"))
    refused(exceptions.BadRequest, "OS::Nova::Toaster", c.protectables.get, "OS::Nova::Toaster")


@check
def plans(c):
    p = plan(c, "lib-one")
    equal((p.name, p.status, p.provider_id, p.parameters), ("lib-one", "suspended", env("NOOP"), {}))
    equal(p.resources, [resource()])
    equal(c.plans.get(p.id).to_dict(), p.to_dict())
    equal(c.plans.get(p.id, session_id="any").id, p.id)
    equal(c.plans.find(name="lib-one").id, p.id)
    changed = c.plans.update(p.id, {"name": "lib-two", "status": "started"})
    equal((changed.name, changed.status), ("lib-two", "started"))
    refused(exceptions.Conflict, "started", c.plans.update, p.id, {"name": "x"})
    equal(c.plans.update(p.id, {"status": "suspended"}).status, "suspended")
    refused(exceptions.BadRequest, "colour", c.plans.update, p.id, {"colour": "red"})
    refused(exceptions.BadRequest, "resources", c.plans.update, p.id, {"resources": []})
    refused(exceptions.BadRequest, "resources", c.plans.create, "x", env("NOOP"), [], {})
    refused(exceptions.BadRequest, "provider_id", c.plans.create, "x", env("UNKNOWN"), [resource()], {})
    refused(exceptions.BadRequest, "name", c.plans.create, None, env("NOOP"), [resource()], {})
    c.plans.delete(p.id)
    refused(exceptions.NotFound, p.id, c.plans.get, p.id)
    refused(exceptions.NotFound, p.id, c.plans.delete, p.id)


@check
def pages_give_every_plan_once(c):
    made = [plan(c, "lib-page-%d" % i).id for i in range(5)]
    seen, marker = [], None
    while True:
        page = c.plans.list(search_opts={"name": "lib-page"}, limit=2, marker=marker, sort="name:asc")
        if not page:
            break
        seen += [p.id for p in page]
        marker = page[-1].id
    equal(seen, made)
    page = c.plans.list(search_opts={"name": "lib-page"}, sort_key="name", sort_dir="desc", limit=1)
    equal([p.id for p in page], made[-1:])
    equal([p.id for p in c.plans.list(search_opts={"name": "lib-page"}, sort=[("created_at", "asc"), "id"])], made)
    # The link to the next page is absolute, and works when it is followed.
    seen, url = [], "/plans?name=lib-page&limit=2&sort=name:asc"
    while url:
        resp, body = c.http_client.json_request("GET", url)
        seen += [p["id"] for p in body["plans"]]
        links = body.get("plans_links")
        url = links[0]["href"] if links else None
        equal(url is None or url.startswith(env("API")), True)
    equal(seen, made)
    refused(exceptions.BadRequest, "marker", c.plans.list, marker=env("UNKNOWN"))
    for i in made:
        c.plans.delete(i)


@check
def checkpoints(c):
    p = plan(c, "lib-checkpoints")
    ck = c.checkpoints.create(env("NOOP"), p.id, {"team": "red"})
    equal(ck.status, "protecting")
    equal(json.loads(ck.extra_info), {"created_by": "manual", "team": "red"})
    equal(json.loads(ck.resource_graph)[0]["0x0"], ["OS::Cinder::Volume", env("VOLUME"), "volume", {}])
    equal((ck.protection_plan["id"], ck.protection_plan["provider_id"]), (p.id, env("NOOP")))
    bare = c.checkpoints.create(env("NOOP"), p.id)
    for one in (ck, bare):
        wait(lambda: c.checkpoints.get(env("NOOP"), one.id), "available")
    found = c.checkpoints.list(provider_id=env("NOOP"), search_opts={"plan_id": p.id, "start_date": "2020-01-01", "end_date": "2999-01-01"})
    equal(sorted(x.id for x in found), sorted([ck.id, bare.id]))
    equal(c.checkpoints.list(provider_id=env("NOOP"), search_opts={"plan_id": p.id, "status": "error"}), [])
    refused(exceptions.BadRequest, "start_date", c.checkpoints.list, provider_id=env("NOOP"), search_opts={"start_date": "x"})
    equal(c.checkpoints.reset_state(env("NOOP"), ck.id, "error"), None)
    equal(c.checkpoints.get(env("NOOP"), ck.id).status, "error")
    refused(exceptions.BadRequest, "state", c.checkpoints.reset_state, env("NOOP"), ck.id, "lost")
    refused(exceptions.NotFound, env("UNKNOWN"), c.checkpoints.get, env("NOOP"), env("UNKNOWN"))
    refused(exceptions.BadRequest, "provider", c.checkpoints.create, env("BANK"), p.id)
    c.checkpoints.delete(env("NOOP"), ck.id)
    c.checkpoints.delete(env("NOOP"), bare.id)


@check
def what_cannot_be_protected_leaves_no_checkpoint(c):
    gone = {"id": env("UNKNOWN"), "type": "OS::Nova::Server", "name": "gone"}
    p = c.plans.create("lib-gone", env("NOOP"), [gone], {})
    refused(exceptions.BadRequest, env("UNKNOWN"), c.checkpoints.create, env("NOOP"), p.id)
    equal(c.checkpoints.list(provider_id=env("NOOP"), search_opts={"plan_id": p.id}), [])


@check
def restores(c):
    p = plan(c, "lib-restores")
    ck = c.checkpoints.create(env("NOOP"), p.id)
    wait(lambda: c.checkpoints.get(env("NOOP"), ck.id), "available")
    r = c.restores.create(env("NOOP"), ck.id, None, {}, None)
    equal((r.status, r.checkpoint_id, r.restore_target, r.parameters), ("in_progress", ck.id, None, {}))
    equal("restore_auth" in r.to_dict(), False)
    r = wait(lambda: c.restores.get(r.id), "success")
    equal((r.resources_reason, len(r.resources_status)), ({}, 1))
    equal(r.id in [x.id for x in c.restores.list(search_opts={"status": "success"})], True)
    equal(r.id in [x.id for x in c.restores.list(search_opts={"status": "fail"})], False)
    refused(exceptions.NotFound, env("UNKNOWN"), c.restores.create, env("NOOP"), env("UNKNOWN"), None, {}, None)
    refused(exceptions.BadRequest, "colour", c.restores.create, env("NOOP"), ck.id, None, {"OS::Cinder::Volume": {"colour": 1}}, None)
    e = refused(exceptions.BadRequest, "", c.restores.create, env("NOOP"), ck.id, "http://elsewhere.example/v3", {},
                {"type": "password", "username": "u", "password": "hunter2"})
    equal("hunter2" in str(e), False)
    refused(exceptions.NotFound, env("UNKNOWN"), c.restores.get, env("UNKNOWN"))


@check
def verifications(c):
    v = c.verifications.get(env("VERIFICATION"))
    equal((v.status, v.checkpoint_id), ("error", env("VERIFIED")))
    equal(v.resources_status, v.resource_status)
    equal(v.resources_reason, {"OS::Cinder::Volume#" + env("VOLUME"): "Backup not found"})
    equal([x.id for x in c.verifications.list()], [v.id])
    equal(c.verifications.list(search_opts={"status": "success"}), [])
    refused(exceptions.NotFound, env("UNKNOWN"), c.verifications.create, env("NOOP"), env("UNKNOWN"), {})
    refused(exceptions.NotFound, env("UNKNOWN"), c.verifications.get, env("UNKNOWN"))


@check
def triggers_and_scheduled_operations(c):
    properties = {"format": "crontab", "pattern": "0 3 * * *", "window": "900", "start_time": "2026-01-01 00:00:00"}
    t = c.triggers.create("lib-nightly", "time", dict(properties))
    equal((t.name, t.type, t.properties), ("lib-nightly", "time", properties))
    equal([x.to_dict() for x in c.triggers.list(search_opts={"name": "lib-"})], [t.to_dict()])
    t2 = c.triggers.update(t.id, {"name": "lib-noon", "properties": {"format": "crontab", "pattern": "0 12 * * *"}})
    equal((t2.name, t2.properties["pattern"], "window" in t2.properties), ("lib-noon", "0 12 * * *", False))
    refused(exceptions.BadRequest, "pattern", c.triggers.create, "x", "time", {"format": "crontab", "pattern": "0 0 30 2 *"})
    refused(exceptions.BadRequest, "format", c.triggers.create, "x", "time", {"pattern": "0 3 * * *"})

    p = plan(c, "lib-scheduled")
    definition = {"plan_id": p.id, "provider_id": env("NOOP")}
    o = c.scheduled_operations.create("lib-op", "protect", t.id, definition)
    equal((o.operation_definition, o.enabled, o.trigger_id), (definition, True, t.id))
    text = c.scheduled_operations.create("lib-op2", "retention_protect", t.id, ",".join("%s=%s" % i for i in definition.items()) + ",max_backups=2")
    equal(text.operation_definition, dict(definition, max_backups="2"))
    equal(sorted(x.id for x in c.scheduled_operations.list(search_opts={"trigger_id": t.id})), sorted([o.id, text.id]))
    equal(c.scheduled_operations.find(name="lib-op").id, o.id)
    refused(exceptions.BadRequest, "operation_type", c.scheduled_operations.create, "x", "destroy", t.id, definition)
    refused(exceptions.NotFound, env("UNKNOWN"), c.scheduled_operations.create, "x", "protect", env("UNKNOWN"), definition)
    e = refused(exceptions.HttpError, "scheduled operation", c.triggers.delete, t.id)
    equal(e.http_status, 424)
    equal(refused(exceptions.HttpError, "scheduled operation", c.plans.delete, p.id).http_status, 424)
    c.scheduled_operations.delete(o.id)
    c.scheduled_operations.delete(text.id)
    refused(exceptions.NotFound, o.id, c.scheduled_operations.get, o.id)
    c.triggers.delete(t.id)
    refused(exceptions.NotFound, t.id, c.triggers.get, t.id)
    c.plans.delete(p.id)


@check
def operation_logs(c):
    logs = c.operation_logs.list()
    equal(len(logs) > 0, True)
    log = c.operation_logs.get(logs[0].id)
    equal(log.to_dict(), logs[0].to_dict())
    equal(all(x.status == "available" for x in c.operation_logs.list(search_opts={"status": "available"})), True)
    refused(exceptions.NotFound, env("UNKNOWN"), c.operation_logs.get, env("UNKNOWN"))


@check
def quotas(c):
    q = c.quotas.get(env("PROJECT"), False)
    equal((q.plans, q.checkpoints, q.id), (50, -1, env("PROJECT")))
    equal(sorted(c.quotas.get(env("PROJECT"), True).plans), ["in_use", "limit", "reserved"])
    equal(c.quotas.defaults(env("PROJECT")).plans, 50)
    equal(c.quota_classes.get("default").plans, 50)
    refused(exceptions.NotFound, "", c.quotas.get, env("OTHERPROJECT"), False)
    refused(exceptions.Forbidden, "quota:update", c.quotas.update, env("PROJECT"), {"plans": 3})
    refused(exceptions.Forbidden, "quota_class:update", c.quota_classes.update, "default", {"plans": 3})
    admin = connect("admin", env("ADMIN_PASSWORD"))
    # Without a value, the library itself sends 50.
    equal(admin.quotas.update(env("PROJECT"), {"plans": None}).plans, 50)
    equal(admin.quotas.update(env("PROJECT"), {"checkpoints": 900}).checkpoints, 900)
    equal(admin.quotas.update(env("PROJECT"), {"checkpoints": -1}).checkpoints, -1)
    refused(exceptions.BadRequest, "colours", admin.quotas.update, env("PROJECT"), {"colours": 3})
    refused(exceptions.BadRequest, "-2", admin.quotas.update, env("PROJECT"), {"plans": -2})
    equal(admin.quota_classes.update("gold", {"plans": 99}).plans, 99)


@check
def services(c):
    refused(exceptions.Forbidden, "service:get_all", c.services.list)
    admin = connect("admin", env("ADMIN_PASSWORD"))
    engine, = admin.services.list(binary="karbor-operationengine", host="engine.example")
    equal(admin.services.disable_log_reason(engine.id, "disk").disabled_reason, "disk")
    equal(admin.services.enable(engine.id).status, "enabled")
    protection, = admin.services.list(binary="karbor-protection")
    refused(exceptions.BadRequest, "karbor-operationengine", admin.services.disable, protection.id)
    refused(exceptions.NotFound, "4711", admin.services.enable, 4711)


@check
def others_find_nothing(c):
    p = plan(c, "lib-mine")
    other = connect("other", env("OTHER_PASSWORD"))
    refused(exceptions.NotFound, p.id, other.plans.get, p.id)
    refused(exceptions.NotFound, p.id, other.plans.update, p.id, {"name": "theirs"})
    refused(exceptions.NotFound, p.id, other.plans.delete, p.id)
    equal(other.plans.list(search_opts={"all_tenants": 1, "name": "lib-"}), [])
    admin = connect("admin", env("ADMIN_PASSWORD"))
    equal([x.id for x in admin.plans.list(search_opts={"all_tenants": 1, "name": "lib-mine"})], [p.id])
    equal([x.id for x in admin.plans.list(search_opts={"all_tenants": 1, "project_id": env("PROJECT"), "name": "lib-mine"})], [p.id])
    equal(c.plans.get(p.id).name, "lib-mine")
    c.plans.delete(p.id)


def main():
    c = connect()
    for f in CHECKS:
        error = ""
        try:
            f(c)
        except Exception:
            error = traceback.format_exc()
        print(json.dumps({"name": f.__name__, "error": error}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
