"""Run by the Python of an SDK: reads [[class name, JSON], ...] from stdin, prints each as the SDK's own model
deserialises and serialises it again. What the SDK does not know gets lost on the way, so the tests see it."""

import json
import sys

import azure.batch.models as models


def through_msrest(name, data):
    """azure-batch before 15."""
    from msrest import Deserializer, Serializer

    classes = {key: value for key, value in vars(models).items() if isinstance(value, type)}
    model = Deserializer(classes)(name, data)
    if not isinstance(model, classes[name]):
        raise TypeError(name + " was not deserialised")
    serializer = Serializer(classes)
    serializer.client_side_validation = False  # answers lack passwords, which requests must have
    return serializer.body(model, name, keep_readonly=True)


def through_model(name, data):
    """azure-batch from 15 on. `NAME!` leaves out what only the service writes, as replace calls do."""
    from azure.batch._utils.model_base import SdkJSONEncoder

    model = rebuilt(getattr(models._models, name.rstrip("!"))(data))
    return json.loads(json.dumps(model, cls=SdkJSONEncoder, exclude_readonly=name.endswith("!")))


def rebuilt(value):
    """The value made anew from its typed attributes, down to the leaves."""
    if isinstance(value, list):
        return [rebuilt(item) for item in value]
    if not hasattr(value, "_attr_to_rest_field"):
        return value
    fields = value._attr_to_rest_field
    members = {name: rebuilt(getattr(value, name)) for name in fields}
    made = type(value)()
    for name, member in members.items():
        if member is not None:
            made[fields[name]._rest_name] = serial(member)
    return made


def serial(member):
    from azure.batch._utils.model_base import SdkJSONEncoder

    if isinstance(member, list) or hasattr(member, "_attr_to_rest_field"):
        return member
    return json.loads(json.dumps(member, cls=SdkJSONEncoder))


speak = through_model if hasattr(models, "BatchPool") else through_msrest
json.dump([speak(name, data) for name, data in json.load(sys.stdin)], sys.stdout)
