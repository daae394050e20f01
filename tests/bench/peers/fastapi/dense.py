"""A plain FastAPI app around a SavedModel of numbers, as https://fastapi.tiangolo.com/advanced/events/ loads models."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import tensorflow as tf
from fastapi import FastAPI
from pydantic import BaseModel

models = {}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    loaded = tf.saved_model.load(os.environ["MODEL_DIR"])
    models["signature"] = loaded.signatures["serving_default"]
    models["loaded"] = loaded
    yield
    models.clear()


app = FastAPI(lifespan=lifespan)


class Rows(BaseModel):
    x: list[list[float]]


class Answer(BaseModel):
    y: list[list[float]]


@app.post("/predict")
def predict(rows: Rows) -> Answer:
    answer = models["signature"](x=tf.constant(rows.x, tf.float32))
    return Answer(y=answer["y"].numpy().tolist())
