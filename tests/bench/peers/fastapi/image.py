"""A plain FastAPI app around a SavedModel of images, as https://fastapi.tiangolo.com/advanced/events/ loads models."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import tensorflow as tf
from fastapi import FastAPI
from pydantic import Base64Bytes, BaseModel

models = {}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    loaded = tf.saved_model.load(os.environ["MODEL_DIR"])
    models["signature"] = loaded.signatures["image_bytes"]
    models["loaded"] = loaded
    yield
    models.clear()


app = FastAPI(lifespan=lifespan)


class Images(BaseModel):
    images: list[Base64Bytes]


class Answer(BaseModel):
    scores: list[list[float]]


@app.post("/predict")
def predict(given: Images) -> Answer:
    answer = models["signature"](image_bytes=tf.constant(given.images))
    return Answer(scores=answer["scores"].numpy().tolist())
