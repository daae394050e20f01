"""What every environment holds once it is applied, and what it must not."""

import base64
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from google.cloud import aiplatform_v1 as v1

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
HOURS = 730  # a month
SCHEDULE = "google_cloud_scheduler_job"
SCHEDULES = {
    "retrain": {
        "cron": "0 3 * * 1",
        "template": "https://europe-west4-kfp.pkg.dev/mine/roadworthy-pipelines/fashion/v1",
        "settings": {"full_epochs": "8", "max_size": "30%"},
    }
}
# Accounts whose own roles only an owner changes.
OWNERS_OWN = {"roadworthy-ci", "roadworthy-deployer"}
PRIMITIVE = {"roles/owner", "roles/editor", "roles/viewer"}
PUBLIC = {"allUsers", "allAuthenticatedUsers"}
DEFAULT_ACCOUNTS = ("-compute@developer.gserviceaccount.com", "@appspot.gserviceaccount.com", "@cloudservices.")


@pytest.fixture(scope="session")
def environments(tmp_path_factory, attached):
    """The resources of each environment by its name, applied against the schema: what Google decides is made up."""
    copy = tmp_path_factory.mktemp("environments") / "infra"
    shutil.copytree(ROOT / "infra", copy, ignore=shutil.ignore_patterns("check", ".terraform", "*.hcl", "backend.tf"))
    made = {}
    for name in ENVIRONMENTS:
        steps = "init -input=false", "apply -input=false -auto-approve", "show -json"
        script = " && ".join(f"terraform -chdir=$0 {step} >$0/said" for step in steps)
        variables = {"TF_VAR_schedules": json.dumps(SCHEDULES)}
        done = attached(copy, "bash", "-c", script, copy / "envs" / name, **variables)
        assert done.returncode == 0, done.stderr
        state = json.loads((copy / "envs" / name / "said").read_text())
        made[name] = list(_resources(state["values"]["root_module"]))
    return made


def _resources(module):
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def of(resources, kind):
    return [each["values"] for each in resources if each["type"] == kind and each["mode"] == "managed"]


@pytest.fixture(params=ENVIRONMENTS)
def resources(request, environments):
    return environments[request.param]


def test_no_bucket_is_public(resources):
    buckets = of(resources, "google_storage_bucket")

    assert len(buckets) == 3
    assert {bucket["public_access_prevention"] for bucket in buckets} == {"enforced"}
    assert all(bucket["uniform_bucket_level_access"] for bucket in buckets)


def test_every_object_is_encrypted_versioned_and_one_day_cleaned_up(resources):
    keys = {key["id"] for key in of(resources, "google_kms_crypto_key")}
    for bucket in of(resources, "google_storage_bucket"):
        assert bucket["encryption"][0]["default_kms_key_name"] in keys
        assert bucket["versioning"] == [{"enabled": True}]
        assert {rule["action"][0]["type"] for rule in bucket["lifecycle_rule"]} >= {
            "Delete",
            "AbortIncompleteMultipartUpload",
        }


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("dev", {"pipeline": 7, "data": 7, "models": 30}),
        ("staging", {"pipeline": 7, "data": 7, "models": 30}),
        ("prod", {"pipeline": 7, "data": 30, "models": 90}),
    ],
)
def test_nobody_can_destroy_at_once_what_is_deleted(environments, name, days):
    kept = {
        bucket["name"].rpartition("-")[2]: bucket["soft_delete_policy"][0]["retention_duration_seconds"] / 86400
        for bucket in of(environments[name], "google_storage_bucket")
    }

    assert kept == days


def test_the_manifests_let_in_and_out_what_the_network_has(environments):
    policy = (ROOT / "infra/kubernetes/base/serving/network-policy.yaml").read_text()
    for name in ("staging", "prod"):
        (proxies,) = [
            one
            for one in of(environments[name], "google_compute_subnetwork")
            if one["purpose"] == "REGIONAL_MANAGED_PROXY"
        ]
        (apis,) = [
            one
            for one in of(environments[name], "google_compute_global_address")
            if one["purpose"] == "PRIVATE_SERVICE_CONNECT"
        ]
        assert f"cidr: {proxies['ip_cidr_range']}" in policy
        assert f"cidr: {apis['address']}/32" in policy


def test_nobody_is_everybody(resources):
    granted = [each for each in resources if "_iam_" in each["type"]]
    members = {member for each in granted for member in each["values"].get("members") or [each["values"].get("member")]}

    assert len(granted) > 30
    assert not members & PUBLIC


def test_no_role_is_primitive(resources):
    roles = {each["values"]["role"] for each in resources if "role" in each["values"] and "_iam_" in each["type"]}

    assert len(roles) > 15
    assert not roles & PRIMITIVE


def test_who_gives_roles_can_give_what_others_have_and_no_more(resources):
    granted = of(resources, "google_project_iam_member")
    (giver,) = [one for one in granted if one["role"] == "roles/resourcemanager.projectIamAdmin"]
    may_give = set(re.findall(r"'(roles/[^']+)'", giver["condition"][0]["expression"]))
    owners_own = {
        account["member"] for account in of(resources, "google_service_account") if account["account_id"] in OWNERS_OWN
    }

    assert "hasOnly" in giver["condition"][0]["expression"]
    assert may_give >= {one["role"] for one in granted if one["member"] not in owners_own}
    assert not [role for role in may_give if role.endswith((".admin", "Admin"))]


def test_no_account_is_a_default_one(resources):
    accounts = {account["email"] for account in of(resources, "google_service_account")}
    pools = of(resources, "google_container_node_pool") + of(resources, "google_container_cluster")

    assert not [account for account in DEFAULT_ACCOUNTS if account in json.dumps(resources)]
    for each in pools:
        assert {node["service_account"] for node in each["node_config"]} <= accounts
        for scaling in each.get("cluster_autoscaling", ()):
            assert {node["service_account"] for node in scaling["auto_provisioning_defaults"]} <= accounts
    (asking,) = [job["http_target"][0]["oauth_token"][0] for job in of(resources, SCHEDULE)]
    assert asking["service_account_email"] in accounts


def test_a_schedule_asks_vertex_ai_for_a_run_as_our_own_client_does(resources):
    (target,) = [job["http_target"][0] for job in of(resources, SCHEDULE)]
    job = v1.PipelineJob.from_json(base64.b64decode(target["body"]), ignore_unknown_fields=False)
    (key,) = [one["id"] for one in of(resources, "google_kms_crypto_key") if one["name"] == "vertex"]

    assert target["uri"].startswith("https://europe-west4-aiplatform.googleapis.com/v1/projects/roadworthy-")
    assert job.template_uri == SCHEDULES["retrain"]["template"]
    assert dict(job.runtime_config.parameter_values) == {"full_epochs": 8, "max_size": "30%"}
    assert job.runtime_config.failure_policy == v1.PipelineFailurePolicy.PIPELINE_FAILURE_POLICY_FAIL_FAST
    assert job.runtime_config.gcs_output_directory.endswith("-pipeline/runs/retrain")
    assert (job.encryption_spec.kms_key_name, job.labels["app"]) == (key, "roadworthy")
    assert re.fullmatch(r"projects/\d+/global/networks/roadworthy", job.network)


def test_default_accounts_lose_the_right_to_edit(resources):
    assert [one["action"] for one in of(resources, "google_project_default_service_accounts")] == ["DEPRIVILEGE"]


def test_a_cluster_runs_our_images_and_google_s_own_alone(resources):
    policies = of(resources, "google_binary_authorization_policy")
    assert len(policies) == len(of(resources, "google_container_cluster"))
    for policy in policies:
        assert policy["default_admission_rule"][0]["evaluation_mode"] == "ALWAYS_DENY"
        (ours,) = [one["name_pattern"] for one in policy["admission_whitelist_patterns"]]
        assert ours == f"europe-west4-docker.pkg.dev/{policy['project']}/roadworthy/**"


def test_there_are_no_keys_of_accounts(resources):
    assert not [
        each["address"]
        for each in resources
        if each["type"] in ("google_service_account_key", "google_storage_hmac_key")
    ]


def test_accelerators_are_tainted_and_cost_nothing_unused(environments):
    pools = {pool["name"]: pool for each in environments.values() for pool in of(each, "google_container_node_pool")}

    assert set(pools) == {"serving", "l4"}
    assert pools["l4"]["autoscaling"][0]["total_min_node_count"] == 0
    assert [taint["key"] for taint in pools["l4"]["node_config"][0]["taint"]] == ["nvidia.com/gpu"]


@pytest.mark.parametrize(("name", "protected"), [("dev", False), ("staging", True), ("prod", True)])
def test_what_holds_data_is_protected_where_people_depend_on_it(environments, name, protected):
    assert {not bucket["force_destroy"] for bucket in of(environments[name], "google_storage_bucket")} == {protected}
    assert {cluster["deletion_protection"] for cluster in of(environments[name], "google_container_cluster")} <= {True}
    assert (name == "dev") == (of(environments[name], "google_container_cluster") == [])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_costs_money_unused_is_what_the_table_of_costs_counts(environments, name):
    made = environments[name]
    pools = of(made, "google_container_node_pool")
    counted = {
        "kms-key": len(of(made, "google_kms_crypto_key")),
        "psc": HOURS * len(of(made, "google_compute_global_forwarding_rule")),
        "dns-zone": len(of(made, "google_dns_managed_zone")),
        "alert": sum(len(policy["conditions"]) for policy in of(made, "google_monitoring_alert_policy")),
        "gke": HOURS * len(of(made, "google_container_cluster")),
    }
    for pool in pools:
        machine = pool["node_config"][0]["machine_type"]
        counted[machine] = HOURS * pool["autoscaling"][0]["total_min_node_count"]
    counted["nat"] = sum(HOURS * pool["autoscaling"][0]["total_min_node_count"] for pool in pools)
    costs = yaml.safe_load((ROOT / "infra/costs.yaml").read_text())["environments"][name]

    assert {item["price"]: item["quantity"] for item in costs["idle"]} == {
        price: quantity for price, quantity in counted.items() if quantity
    }


def test_all_is_named_for_its_own_environment(environments):
    for name, resources in environments.items():
        others = {f"roadworthy-{other}" for other in ENVIRONMENTS if other != name}
        assert not [other for other in others if other in json.dumps(resources)]
